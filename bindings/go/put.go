package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// AddOptions tell about a picture that is added; the zero value, and nil, are the defaults.
type AddOptions struct {
	URI      string // unique name; default: the absolute path of a File, else none
	Metadata string // a JSON object of at most 1 MiB; default none
}

// Added is what became of an added picture.
type Added struct {
	ID      int64
	Outcome Outcome // stored, replaced or unchanged
}

// Add adds a picture or ready vector. On return it survives a crash and is found by the next query.
// A URI that exists is replaced when the content differs.
func (db *DB) Add(ctx context.Context, what Input, options *AddOptions) (Added, error) {
	if !db.enter() {
		return Added{}, ErrClosed
	}
	defer db.leave()
	var a arena
	defer a.free()
	wanted := C.imgret_add_options{size: C.uint32_t(unsafe.Sizeof(C.imgret_add_options{}))}
	if options != nil {
		wanted.uri = a.text(options.URI, "a URI")
		wanted.metadata = a.text(options.Metadata, "metadata")
	}
	var input C.imgret_input
	data, vector, err := what.read(&input)
	if err == nil {
		err = a.err
	}
	if err != nil {
		return Added{}, err
	}
	stop, over, err := watch(ctx)
	if err != nil {
		return Added{}, err
	}
	defer over()
	var result C.imgret_add_result
	why := newError()
	status := C.imgret_go_add(db.c, &input, unsafe.Pointer(&data[0]),
		(*C.float)(unsafe.Pointer(&vector[0])), &wanted, stop, &result, why)
	if status != 0 {
		return Added{}, failure(status, why, ctx, nil)
	}
	return Added{int64(result.id), Outcome(result.outcome)}, nil
}

// short runs a call that takes nothing but a stop word.
func (db *DB) short(ctx context.Context, call func(stop *C.uint32_t, why *C.imgret_error) C.int32_t) error {
	if !db.enter() {
		return ErrClosed
	}
	defer db.leave()
	stop, over, err := watch(ctx)
	if err != nil {
		return err
	}
	defer over()
	why := newError()
	return failure(call(stop, why), why, ctx, nil)
}

// Remove removes an image, durably; its id is never used again.
func (db *DB) Remove(ctx context.Context, id int64) error {
	return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_remove(db.c, C.int64_t(id), stop, why)
	})
}

// SetMetadata replaces an image's metadata by a JSON object, or by none for "".
func (db *DB) SetMetadata(ctx context.Context, id int64, metadata string) error {
	var a arena
	defer a.free()
	text := a.text(metadata, "metadata")
	if a.err != nil {
		return a.err
	}
	return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_set_metadata(db.c, C.int64_t(id), text, stop, why)
	})
}

// SetLabel labels an image, in place of the label it may have; "" takes it away. The score, 0 to 1,
// says how sure it is.
func (db *DB) SetLabel(ctx context.Context, id int64, label string, score float64) error {
	var a arena
	defer a.free()
	text := a.text(label, "a label")
	if a.err != nil {
		return a.err
	}
	return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_set_label(db.c, C.int64_t(id), text, C.double(score), stop, why)
	})
}

// IndexCountMax is the number of indexes that a database can have by CreateIndex.
const IndexCountMax = C.IMGRET_INDEX_COUNT_MAX

// CreateIndex makes an index for filters by a value of the metadata, "meta->>'camera'", or by a column
// such as "width"; docs/filters.md tells which. It may take seconds on a large database.
func (db *DB) CreateIndex(ctx context.Context, expression string) error {
	var a arena
	defer a.free()
	text := a.text(expression, "an index")
	if a.err != nil {
		return a.err
	}
	return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_create_index(db.c, text, stop, why)
	})
}

// DropIndex takes an index away again.
func (db *DB) DropIndex(ctx context.Context, expression string) error {
	var a arena
	defer a.free()
	text := a.text(expression, "an index")
	if a.err != nil {
		return a.err
	}
	return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_drop_index(db.c, text, stop, why)
	})
}

// LabelOptions tell how to label by examples; the zero value, and nil, are the defaults.
type LabelOptions struct {
	Assign        bool    // store the label of the pictures that it fits; else only tell them
	ConfidenceMin float64 // the least that fits, 0..1; default 0.8
	Filter        Filter  // only pictures that match
	OnItem        func(LabelItem) error
}

// LabelExamples learns from a few examples what a label looks like, and finds the pictures that it
// fits. With Assign, examples given by ID get the label with a score of 1, and pictures that it fits
// with the confidence, unless the label they have has a greater score. What an interrupted call has
// labelled stays.
func (db *DB) LabelExamples(ctx context.Context, label string, examples []Input, options *LabelOptions) (LabelReport, error) {
	if options == nil {
		options = &LabelOptions{}
	}
	var a arena
	defer a.free()
	wanted := C.imgret_label_options{
		label:          a.string(label, "a label"),
		example_count:  C.uint64_t(len(examples)),
		confidence_min: C.double(options.ConfidenceMin),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.Assign {
		wanted.flags = C.IMGRET_LABEL_ASSIGN
	}
	a.filter(&options.Filter, &wanted.where, &wanted.params, &wanted.param_count, &wanted.where_ms_max)
	if len(examples) > 0 {
		inputs, err := a.inputs(examples)
		if err != nil {
			return LabelReport{}, err
		}
		wanted.examples = inputs
	}
	if a.err != nil {
		return LabelReport{}, a.err
	}
	var report C.imgret_label_report
	calls := &callbacks{label: options.OnItem}
	err := db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_label_examples(db.c, &wanted, user, stop, &report, why)
	})
	return labelReportOf(&report), err
}

// IngestOptions tell how to ingest; the zero value, and nil, are the defaults.
type IngestOptions struct {
	NoRecursion bool          // do not enter folders inside the given ones
	RetryFailed bool          // try pictures again that failed and did not change
	Sync        bool          // images whose files are gone get their new names, or are removed
	Force       bool          // with Sync: what is missing or empty is meant so
	CommitCount int           // pictures a transaction; default 256
	CommitTime  time.Duration // or this much time; default a second
	// OnItem is told of each file, in order, once it is durable; OnProgress about ten times a
	// second, both on the goroutine of the call. An error stops the run after committing what is
	// done.
	OnItem     func(IngestItem) error
	OnProgress func(IngestProgress) error
}

// Ingest adds files and whole folders. A picture that cannot be read is told to OnItem and never
// stops the run. Run again after it was stopped, it does what is left. The counts are right also
// when it fails.
func (db *DB) Ingest(ctx context.Context, paths []string, options *IngestOptions) (IngestProgress, error) {
	if !db.enter() {
		return IngestProgress{}, ErrClosed
	}
	defer db.leave()
	if options == nil {
		options = &IngestOptions{}
	}
	var a arena
	defer a.free()
	wanted := C.imgret_ingest_options{
		paths:        a.texts(paths, "a path"),
		path_count:   C.uint64_t(len(paths)),
		commit_count: C.uint32_t(options.CommitCount),
		commit_ms:    ms(options.CommitTime),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.NoRecursion {
		wanted.flags |= C.IMGRET_INGEST_NO_RECURSION
	}
	if options.RetryFailed {
		wanted.flags |= C.IMGRET_INGEST_RETRY_FAILED
	}
	if options.Sync {
		wanted.flags |= C.IMGRET_INGEST_SYNC
	}
	if options.Force {
		wanted.flags |= C.IMGRET_INGEST_FORCE
	}
	if a.err != nil {
		return IngestProgress{}, a.err
	}
	stop, over, err := watch(ctx)
	if err != nil {
		return IngestProgress{}, err
	}
	defer over()
	var report C.imgret_ingest_progress
	var status C.int32_t
	why := newError()
	calls := &callbacks{item: options.OnItem, progress: options.OnProgress}
	calls.with(func(user C.uintptr_t) {
		status = C.imgret_go_ingest(db.c, &wanted, user, stop, &report, why)
	})
	return progressOf(&report), failure(status, why, ctx, calls)
}
