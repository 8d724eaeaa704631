package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// long runs a call with callbacks.
func (db *DB) long(ctx context.Context, calls *callbacks,
	call func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t) error {
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
	var status C.int32_t
	calls.with(func(user C.uintptr_t) { status = call(user, stop, why) })
	return failure(status, why, ctx, calls)
}

// OptimizeOptions tell how to optimize; the zero value, and nil, are the defaults.
type OptimizeOptions struct {
	Force          bool   // also when it would hardly pay; erases all that was removed
	MemoryBytesMax uint64 // that building may take; default no limit
	OnProgress     func(done float64) error
}

// Optimize moves vectors from memory into a segment on disk, so that queries no longer compare every
// vector. It does nothing when it would not pay; other calls go on meanwhile.
func (db *DB) Optimize(ctx context.Context, options *OptimizeOptions) error {
	if options == nil {
		options = &OptimizeOptions{}
	}
	wanted := C.imgret_optimize_options{memory_bytes_max: C.uint64_t(options.MemoryBytesMax)}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.Force {
		wanted.flags = C.IMGRET_OPTIMIZE_FORCE
	}
	calls := &callbacks{share: options.OnProgress}
	return db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_optimize(db.c, &wanted, user, stop, why)
	})
}

// Check reads the whole database and returns what is wrong with it, a line each.
func (db *DB) Check(ctx context.Context) (problems []string, err error) {
	calls := &callbacks{problem: func(message string) error {
		problems = append(problems, message)
		return nil
	}}
	var count C.uint64_t
	err = db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_check(db.c, user, stop, &count, why)
	})
	return problems, err
}

// RepairOptions tell how to repair; the zero value, and nil, are the defaults.
type RepairOptions struct {
	MemoryBytesMax uint64
	OnItem         func(IngestItem) error // each image whose vector was lost
}

// Repair makes damaged or missing segment files anew; images whose vectors were lost are extracted
// again where their files are. Stopped, a later call goes on.
func (db *DB) Repair(ctx context.Context, options *RepairOptions) (RepairReport, error) {
	if options == nil {
		options = &RepairOptions{}
	}
	wanted := C.imgret_repair_options{memory_bytes_max: C.uint64_t(options.MemoryBytesMax)}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	var report C.imgret_repair_report
	calls := &callbacks{item: options.OnItem}
	err := db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_repair(db.c, &wanted, user, stop, &report, why)
	})
	return repairReportOf(&report), err
}

// SalvageOptions tell how to salvage; the zero value, and nil, are the defaults.
type SalvageOptions struct {
	BusyTimeout time.Duration // wait for whoever has it open; 5 seconds by default, Never
}

// Salvage makes a damaged catalog.db anew from all that can be read; nobody may have the database open.
// It does nothing where nothing is wrong. Repair afterwards extracts lost images again.
func Salvage(ctx context.Context, path string, options *SalvageOptions) (SalvageReport, error) {
	if options == nil {
		options = &SalvageOptions{}
	}
	var a arena
	defer a.free()
	folder := a.string(path, "a path")
	if a.err != nil {
		return SalvageReport{}, a.err
	}
	var losses []string
	calls := &callbacks{problem: func(message string) error {
		losses = append(losses, message)
		return ctx.Err()
	}}
	if err := ctx.Err(); err != nil {
		return SalvageReport{}, err
	}
	why := newError()
	var report C.imgret_salvage_report
	var status C.int32_t
	calls.with(func(user C.uintptr_t) {
		status = C.imgret_go_salvage(folder, orNone(options.BusyTimeout, ms), user, &report, why)
	})
	return SalvageReport{
		Salvaged:            report.salvaged != 0,
		ImageCount:          uint64(report.image_count),
		ImagesWithoutRecord: uint64(report.images_without_record),
		ImagesLost:          uint64(report.images_lost),
		Original:            C.GoString(&report.original[0]),
		Losses:              losses,
	}, failure(status, why, ctx, calls)
}

// ReembedOptions tell how to move to another model; the zero value, and nil, are the defaults.
type ReembedOptions struct {
	DropMissing    bool // pictures that cannot be had become failures
	MemoryBytesMax uint64
	OnItem         func(IngestItem) error         // each picture that cannot be had
	OnProgress     func(done, total uint64) error // pictures
}

// Reembed moves the database to another model, while queries and adds go on with the old one.
// Stopped, a later call with the same model goes on. Close the database afterwards and open it
// again: until then, what needs vectors is a Mismatch.
func (db *DB) Reembed(ctx context.Context, model string, options *ReembedOptions) (ReembedReport, error) {
	if options == nil {
		options = &ReembedOptions{}
	}
	var a arena
	defer a.free()
	wanted := C.imgret_reembed_options{
		model:            a.text(model, "a model"),
		memory_bytes_max: C.uint64_t(options.MemoryBytesMax),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.DropMissing {
		wanted.flags = C.IMGRET_REEMBED_DROP_MISSING
	}
	if a.err != nil {
		return ReembedReport{}, a.err
	}
	var report C.imgret_reembed_report
	calls := &callbacks{item: options.OnItem, done: options.OnProgress}
	err := db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_reembed(db.c, &wanted, user, stop, &report, why)
	})
	return reembedReportOf(&report), err
}

// Backup copies the database, as the last commit left it, to the new folder, itself a database, while
// others go on. It appears whole at the end or not at all. onProgress, of bytes, may be nil.
func (db *DB) Backup(ctx context.Context, folder string, onProgress func(done, total uint64) error) error {
	var a arena
	defer a.free()
	path := a.string(folder, "a path")
	if a.err != nil {
		return a.err
	}
	calls := &callbacks{done: onProgress}
	return db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_backup(db.c, path, user, stop, why)
	})
}

// Export writes everything to the new folder in forms that other programs read: docs/export.md.
// onProgress, of images, may be nil.
func (db *DB) Export(ctx context.Context, folder string, onProgress func(done, total uint64) error) error {
	var a arena
	defer a.free()
	path := a.string(folder, "a path")
	if a.err != nil {
		return a.err
	}
	calls := &callbacks{done: onProgress}
	return db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_export(db.c, path, user, stop, why)
	})
}

// Import makes the new database path from a folder that Export, or another program, wrote. It
// appears whole at the end or not at all. Its context is looked at whenever there is progress.
func Import(ctx context.Context, path, folder string, onProgress func(done, total uint64) error) error {
	var a arena
	defer a.free()
	to, from := a.string(path, "a path"), a.string(folder, "a path")
	if a.err != nil {
		return a.err
	}
	calls := &callbacks{done: func(done, total uint64) error {
		if err := ctx.Err(); err != nil || onProgress == nil {
			return err
		}
		return onProgress(done, total)
	}}
	if err := ctx.Err(); err != nil {
		return err
	}
	why := newError()
	var status C.int32_t
	calls.with(func(user C.uintptr_t) { status = C.imgret_go_import(to, from, user, why) })
	return failure(status, why, ctx, calls)
}

// LoadModel loads the database's extractor now, from model ("": from where it was recorded), in place
// of the one that is loaded. Mismatch when its vectors would be others.
func (db *DB) LoadModel(model string) error {
	var a arena
	defer a.free()
	text := a.text(model, "a model")
	if a.err != nil {
		return a.err
	}
	return db.short(context.Background(), func(_ *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_load_model(db.c, text, why)
	})
}

// UnloadModel lets go of the loaded extractor and its memory; it is loaded again when it is needed.
func (db *DB) UnloadModel() error {
	return db.short(context.Background(), func(_ *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_unload_model(db.c, why)
	})
}
