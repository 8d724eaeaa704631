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

// IngestOptions tell how to ingest; the zero value, and nil, are the defaults.
type IngestOptions struct {
	NoRecursion bool          // do not enter folders inside the given ones
	RetryFailed bool          // try pictures again that failed and did not change
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
