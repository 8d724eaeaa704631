// server answers searches over HTTP: server -db photos.imgret -add Pictures
//
//	curl --data-binary @cat.jpg 'localhost:8080/search?k=5'
//	curl 'localhost:8080/search?id=7&where=width>:w&w=640'
//	curl --data-binary @dog.jpg 'localhost:8080/images?uri=dog'
//	curl localhost:8080/images/7
//	curl -X DELETE localhost:8080/images/7
//
// Everything is JSON. A client that goes away stops its own search and no other.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	imgret "github.com/libimgret/libimgret/bindings/go"
)

const bodyBytesMax = 64 << 20

type server struct{ db *imgret.DB }

// statusOf is HTTP's word for what went wrong.
func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, imgret.Limit):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, imgret.NotFound):
		return http.StatusNotFound
	case errors.Is(err, imgret.BadImage), errors.Is(err, imgret.InvalidArgument), errors.Is(err, imgret.Unsupported):
		return http.StatusBadRequest
	case errors.Is(err, imgret.Busy), errors.Is(err, imgret.Interrupted), errors.Is(err, imgret.ErrClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func reply(w http.ResponseWriter, value any, err error) {
	status := http.StatusOK
	if err != nil {
		status, value = statusOf(err), map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	options := imgret.QueryOptions{K: 10, Filter: imgret.Filter{Where: values.Get("where")}}
	if text := values.Get("k"); text != "" {
		k, err := strconv.Atoi(text)
		if err != nil || k < 1 || k > 1000 {
			http.Error(w, "k is 1 to 1000", http.StatusBadRequest)
			return
		}
		options.K = k
	}
	// Every other value is a parameter of the filter: what users type never becomes SQL.
	for name := range values {
		if strings.Contains(options.Filter.Where, ":"+name) {
			if options.Filter.Params == nil {
				options.Filter.Params = imgret.Params{}
			}
			var value any = values.Get(name)
			if number, err := strconv.ParseFloat(values.Get(name), 64); err == nil {
				value = number
			}
			options.Filter.Params[name] = value
		}
	}
	input := imgret.Reader(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if text := values.Get("id"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, "id is a number", http.StatusBadRequest)
			return
		}
		input = imgret.ID(id)
	}
	results, err := s.db.Query(r.Context(), input, &options)
	reply(w, results, err)
}

func (s *server) images(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(strings.TrimPrefix(r.URL.Path, "/images/"), 10, 64)
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/images":
		body := imgret.Reader(http.MaxBytesReader(w, r.Body, bodyBytesMax))
		added, err := s.db.Add(r.Context(), body, &imgret.AddOptions{URI: r.URL.Query().Get("uri")})
		reply(w, added, err)
	case err != nil:
		http.NotFound(w, r)
	case r.Method == http.MethodGet:
		record, err := s.db.Get(r.Context(), id)
		if a := record.Attributes; a != nil && !a.HasPlace() {
			a.Latitude, a.Longitude = 0, 0 // JSON has no NaN
		}
		reply(w, record, err)
	case r.Method == http.MethodDelete:
		reply(w, "removed", s.db.Remove(r.Context(), id))
	default:
		http.Error(w, "GET or DELETE", http.StatusMethodNotAllowed)
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/search", s.search)
	mux.HandleFunc("/images", s.images)
	mux.HandleFunc("/images/", s.images)
	return mux
}

func run(ctx context.Context, path, model, folder, address string) error {
	db, err := imgret.Open(path, &imgret.Options{Model: model, Maintain: true})
	if err != nil {
		return err
	}
	defer db.Close()
	if folder != "" {
		counts, err := db.Ingest(ctx, []string{folder}, nil)
		if err != nil {
			return err
		}
		log.Printf("%d pictures, %d of them new", counts.DoneCount, counts.StoredCount)
	}
	s := &http.Server{Addr: address, Handler: (&server{db}).handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return s.Shutdown(last)
	}
}

func main() {
	path := flag.String("db", "photos.imgret", "the database, made when it is missing")
	model := flag.String("model", "", "for a new database: weights, or classic")
	folder := flag.String("add", "", "a folder of pictures to put in first")
	address := flag.String("listen", "localhost:8080", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *path, *model, *folder, *address); err != nil {
		log.Fatal(err)
	}
}
