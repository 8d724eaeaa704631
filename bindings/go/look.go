package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// Count counts the images in a state, or all, that match the filter.
func (db *DB) Count(ctx context.Context, state State, filter Filter) (uint64, error) {
	var a arena
	defer a.free()
	wanted := C.imgret_count_options{state: C.int32_t(state)}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	a.filter(&filter, &wanted.where, &wanted.params, &wanted.param_count, &wanted.where_ms_max)
	if a.err != nil {
		return 0, a.err
	}
	var count C.uint64_t
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_count(&count, db.c, &wanted, stop, why)
	})
	return uint64(count), err
}

// ListOptions tell what to list; the zero value, and nil, are the first 1,000 images.
type ListOptions struct {
	State   State
	URI     string // only this one; not together with Filter
	AfterID int64  // only ids above it
	Limit   int    // at most so many; of Records: in one reading
	Filter  Filter
}

// List lists images by ascending id.
func (db *DB) List(ctx context.Context, options *ListOptions) ([]Record, error) {
	if options == nil {
		options = &ListOptions{}
	}
	var a arena
	defer a.free()
	wanted := C.imgret_list_options{
		state:    C.int32_t(options.State),
		after_id: C.int64_t(options.AfterID),
		uri:      a.text(options.URI, "a URI"),
		limit:    C.uint64_t(options.Limit),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	a.filter(&options.Filter, &wanted.where, &wanted.params, &wanted.param_count, &wanted.where_ms_max)
	if a.err == nil && options.Limit < 0 {
		a.err = invalid("ListOptions.Limit is %d", options.Limit)
	}
	if a.err != nil {
		return nil, a.err
	}
	return db.records(ctx, func(out **C.imgret_records, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_list(out, db.c, &wanted, stop, why)
	})
}

// Get is the image with this id; NotFound when there is none.
func (db *DB) Get(ctx context.Context, id int64) (Record, error) {
	records, err := db.records(ctx, func(out **C.imgret_records, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_get(out, db.c, C.int64_t(id), stop, why)
	})
	if err != nil {
		return Record{}, err
	}
	return records[0], nil
}

func (db *DB) records(ctx context.Context,
	call func(**C.imgret_records, *C.uint32_t, *C.imgret_error) C.int32_t) ([]Record, error) {
	var out *C.imgret_records
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return call(&out, stop, why)
	})
	if err != nil {
		return nil, err
	}
	defer C.imgret_records_free(out)
	records := make([]Record, C.imgret_records_count(out))
	for i := range records {
		records[i] = recordOf(C.imgret_records_at(out, C.uint64_t(i)))
	}
	return records, nil
}

// RecordIterator goes through images by ascending id; it holds nothing open.
//
//	records := db.Records(ctx, nil)
//	for records.Next() {
//		fmt.Println(records.Record().URI)
//	}
//	if err := records.Err(); err != nil {
type RecordIterator struct {
	db      *DB
	ctx     context.Context
	options ListOptions
	page    []Record
	at      int
	err     error
	last    bool
}

// Records goes through all images that options pick, a page of Limit at a time.
func (db *DB) Records(ctx context.Context, options *ListOptions) *RecordIterator {
	it := &RecordIterator{db: db, ctx: ctx, at: -1}
	if options != nil {
		it.options = *options
	}
	if it.options.Limit == 0 {
		it.options.Limit = 1000
	}
	return it
}

// Next goes to the next image; false at the end and after an error.
func (it *RecordIterator) Next() bool {
	it.at++
	if it.at < len(it.page) {
		return true
	}
	if it.last || it.err != nil {
		return false
	}
	if n := len(it.page); n > 0 {
		it.options.AfterID = it.page[n-1].ID
	}
	it.page, it.err = it.db.List(it.ctx, &it.options)
	it.at, it.last = 0, len(it.page) < it.options.Limit
	return len(it.page) > 0
}

// Record is the image that Next went to.
func (it *RecordIterator) Record() Record {
	return it.page[it.at]
}

// Err is why Next returned false, nil at the end.
func (it *RecordIterator) Err() error {
	return it.err
}

// Vector is the stored vector of an image.
func (db *DB) Vector(ctx context.Context, id int64) ([]float32, error) {
	out := make([]float32, db.dimension)
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_get_vector(db.c, C.int64_t(id), (*C.float)(unsafe.Pointer(&out[0])),
			C.uint32_t(len(out)), stop, why)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Regions are the regions of an image by ordinal; all of it comes first.
func (db *DB) Regions(ctx context.Context, id int64) ([]Region, error) {
	var out *C.imgret_regions
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_get_regions(&out, db.c, C.int64_t(id), stop, why)
	})
	if err != nil {
		return nil, err
	}
	defer C.imgret_regions_free(out)
	regions := make([]Region, C.imgret_regions_count(out))
	for i := range regions {
		regions[i] = regionOf(C.imgret_regions_at(out, C.uint64_t(i)))
	}
	return regions, nil
}

// Indexes are the expressions of the indexes that were asked for by CreateIndex.
func (db *DB) Indexes(ctx context.Context) ([]string, error) {
	var out *C.imgret_indexes
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_list_indexes(&out, db.c, stop, why)
	})
	if err != nil {
		return nil, err
	}
	defer C.imgret_indexes_free(out)
	expressions := make([]string, C.imgret_indexes_count(out))
	for i := range expressions {
		expressions[i] = C.GoString(C.imgret_indexes_at(out, C.uint64_t(i)))
	}
	return expressions, nil
}

// Stats tells what the database and this handle hold.
func (db *DB) Stats() (Stats, error) {
	if !db.enter() {
		return Stats{}, ErrClosed
	}
	defer db.leave() // its strings live as long as the handle
	var out C.imgret_stats
	out.size = C.uint32_t(unsafe.Sizeof(out))
	why := newError()
	if status := C.imgret_get_stats(db.c, &out, why); status != 0 {
		return Stats{}, failure(status, why, nil, nil)
	}
	return statsOf(&out), nil
}
