// bench measures what the binding costs: a query of Go over the same query of C, and the crossing
// of cgo itself. Medians in microseconds, as JSON.
package main

// #cgo !imgret_flags pkg-config: imgret
// #cgo imgret_flags LDFLAGS: -limgret
// #include <imgret/imgret.h>
// #include <stdlib.h>
// #include <time.h>
//
// static double now_us(void)
// {
//     struct timespec t;
//     clock_gettime(CLOCK_MONOTONIC, &t);
//     return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
// }
//
// /* The time of one query as a C program makes it; negative when it fails. */
// static double query_us(imgret *db, const float *vector, uint32_t dimension, uint32_t k)
// {
//     imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_VECTOR,
//                           .dimension = dimension, .vector = vector};
//     imgret_query_options options = {.size = sizeof options, .k = k};
//     imgret_results *results;
//     double began = now_us();
//     if (imgret_query(&results, db, &input, &options, 0))
//         return -1;
//     imgret_results_free(results);
//     return now_us() - began;
// }
//
// /* The same for a batch of `count` queries that lie one behind another. */
// static double batch_us(imgret *db, const float *vectors, uint32_t dimension, uint32_t count,
//                        imgret_input *inputs, imgret_results **results)
// {
//     double began = now_us();
//     for (uint32_t i = 0; i < count; i++)
//         inputs[i] = (imgret_input){.size = sizeof *inputs, .kind = IMGRET_INPUT_VECTOR,
//                                    .dimension = dimension, .vector = vectors + i * dimension};
//     if (imgret_query_batch(results, db, inputs, count, 0, 0))
//         return -1;
//     for (uint32_t i = 0; i < count; i++)
//         imgret_results_free(results[i]);
//     return now_us() - began;
// }
//
// static void nothing(void) {}
import "C"

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"time"
	"unsafe"

	imgret "github.com/libimgret/libimgret/bindings/go"
)

// medians of several things that are done in turns, so that a busy machine treats them alike.
func medians(count int, all ...func() float64) []float64 {
	times := make([][]float64, len(all))
	for i := 0; i < count; i++ {
		for j, one := range all {
			times[j] = append(times[j], one())
		}
	}
	out := make([]float64, len(all))
	for j := range all {
		sort.Float64s(times[j])
		out[j] = times[j][count/2]
	}
	return out
}

func timed(work func()) float64 {
	began := time.Now()
	work()
	return float64(time.Since(began).Nanoseconds()) / 1e3
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	count := flag.Int("count", 1000, "vectors in the database")
	dimension := flag.Int("dimension", 128, "of a vector")
	queries := flag.Int("queries", 3000, "to take the median of")
	flag.Parse()
	folder, err := os.MkdirTemp("", "imgret-go-bench")
	check(err)
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "bench.imgret")
	db, err := imgret.Open(path, &imgret.Options{Model: "vectors:" + strconv.Itoa(*dimension), Threads: 1})
	check(err)
	chance := rand.New(rand.NewSource(1))
	vector := make([]float32, *dimension)
	fill := func() {
		for i := range vector {
			vector[i] = float32(chance.NormFloat64())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	check(db.Update(ctx, func(tx *imgret.Tx) error {
		for i := 0; i < *count; i++ {
			fill()
			if _, err := tx.Add(ctx, imgret.Vector(vector), &imgret.AddOptions{URI: strconv.Itoa(i)}); err != nil {
				return err
			}
		}
		return nil
	}))
	fill()
	text := C.CString(path)
	var c *C.imgret
	options := C.imgret_open_options{threads: 1}
	options.size = C.uint32_t(unsafe.Sizeof(options))
	if C.imgret_open(&c, text, &options, nil) != 0 {
		log.Fatal("cannot open ", path)
	}
	defer C.imgret_close(c)
	query := func(ctx context.Context) func() float64 {
		return func() float64 {
			return timed(func() {
				_, err := db.Query(ctx, imgret.Vector(vector), nil)
				check(err)
			})
		}
	}
	const batch = 256
	many := make([]float32, batch**dimension)
	for i := range many {
		many[i] = float32(chance.NormFloat64())
	}
	inputs := make([]imgret.Input, batch)
	for i := range inputs {
		inputs[i] = imgret.Vector(many[i**dimension : (i+1)**dimension])
	}
	inputsC := (*C.imgret_input)(C.calloc(batch, C.sizeof_imgret_input))
	manyC := (*C.float)(C.calloc(C.size_t(len(many)), 4))
	copy(unsafe.Slice((*float32)(manyC), len(many)), many)
	resultsC := (**C.imgret_results)(C.calloc(batch, 8))
	one := medians(*queries, func() float64 {
		return float64(C.query_us(c, (*C.float)(unsafe.Pointer(&vector[0])), C.uint32_t(len(vector)), 10))
	}, query(context.Background()), query(ctx), func() float64 {
		return timed(func() { C.nothing() })
	})
	batches := medians(1+*queries/batch, func() float64 {
		return float64(C.batch_us(c, manyC, C.uint32_t(len(vector)), batch, inputsC, resultsC))
	}, func() float64 {
		return timed(func() {
			_, err := db.QueryBatch(ctx, inputs, nil)
			check(err)
		})
	})
	out := map[string]any{
		"vectors": *count, "dimension": *dimension, "k": 10,
		"c_query_us":               one[0],
		"go_over_c_us":             one[1] - one[0],
		"go_cancellable_over_c_us": one[2] - one[0],
		"cgo_call_us":              one[3],
		"c_batch_us_a_query":       batches[0] / batch,
		"go_batch_us_a_query":      batches[1] / batch,
	}
	check(db.Close())
	check(json.NewEncoder(os.Stdout).Encode(out))
}
