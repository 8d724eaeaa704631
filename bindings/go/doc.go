// Package imgret is image search as a library: put pictures in, ask for those that look like this
// one. It binds libimgret by cgo; docs/go.md of libimgret tells how to build with it.
//
//	db, err := imgret.Open("photos.imgret", nil)
//	defer db.Close()
//	_, err = db.Ingest(ctx, []string{"Pictures"}, nil)
//	results, err := db.Query(ctx, imgret.File("cat.jpg"), &imgret.QueryOptions{K: 5})
//	for _, hit := range results.Hits {
//		fmt.Println(hit.Score, hit.URI)
//	}
//
// Any number of goroutines may use a database. A context that ends stops its own call and no other;
// what that call had committed stays. What comes back are Go's own copies: nothing needs to be freed
// but databases, extractors and transactions.
package imgret
