package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// Tx is a transaction: what it adds, removes and sets becomes durable and visible as a whole in
// Commit, or not at all. Any goroutine may use it; the library binds transactions to threads, so one
// of its own makes the calls. Other writers wait meanwhile; queries see the state before. End it
// soon, by Commit or Rollback.
type Tx struct {
	db    *DB
	mutex sync.Mutex
	jobs  chan func()
	done  chan struct{}
	ended bool
}

// Begin begins a transaction. The context is for the beginning alone, which may have to wait.
func (db *DB) Begin(ctx context.Context) (*Tx, error) {
	jobs, done := make(chan func()), make(chan struct{})
	go func() {
		// Never unlocked: the thread ends with the goroutine, and nothing of it is used again.
		runtime.LockOSThread()
		for job := range jobs {
			job()
			done <- struct{}{}
		}
	}()
	tx := &Tx{db: db, jobs: jobs, done: done}
	err := tx.do(func() error {
		return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
			return C.imgret_go_begin(db.c, stop, why)
		})
	}, false)
	if err != nil {
		tx.ended = true
		close(jobs)
		return nil, err
	}
	runtime.SetFinalizer(tx, func(tx *Tx) { reportLeak("transaction on " + tx.db.path) })
	return tx, nil
}

// do runs job on the transaction's thread; last: it ends with it.
func (tx *Tx) do(job func() error, last bool) error {
	tx.mutex.Lock()
	defer tx.mutex.Unlock()
	if tx.ended {
		return ErrClosed
	}
	var err error
	tx.jobs <- func() { err = job() }
	<-tx.done
	if last {
		tx.ended = true
		close(tx.jobs)
		runtime.SetFinalizer(tx, nil)
	}
	return err
}

// Add is DB.Add as a part of the transaction; its id is durable with the commit.
func (tx *Tx) Add(ctx context.Context, what Input, options *AddOptions) (added Added, err error) {
	err = tx.do(func() (err error) {
		added, err = tx.db.Add(ctx, what, options)
		return err
	}, false)
	return added, err
}

// Remove is DB.Remove as a part of the transaction.
func (tx *Tx) Remove(ctx context.Context, id int64) error {
	return tx.do(func() error { return tx.db.Remove(ctx, id) }, false)
}

// SetMetadata is DB.SetMetadata as a part of the transaction.
func (tx *Tx) SetMetadata(ctx context.Context, id int64, metadata string) error {
	return tx.do(func() error { return tx.db.SetMetadata(ctx, id, metadata) }, false)
}

// SetLabel is DB.SetLabel as a part of the transaction.
func (tx *Tx) SetLabel(ctx context.Context, id int64, label string, score float64) error {
	return tx.do(func() error { return tx.db.SetLabel(ctx, id, label, score) }, false)
}

// SetDifferent is DB.SetDifferent as a part of the transaction.
func (tx *Tx) SetDifferent(ctx context.Context, id, otherID int64, different bool) error {
	return tx.do(func() error { return tx.db.SetDifferent(ctx, id, otherID, different) }, false)
}

// Commit makes the transaction durable and visible. It has ended in any case: when this fails,
// nothing of it is stored.
func (tx *Tx) Commit() error {
	return tx.do(func() error {
		return tx.db.short(context.Background(), func(_ *C.uint32_t, why *C.imgret_error) C.int32_t {
			return C.imgret_commit(tx.db.c, why)
		})
	}, true)
}

// Rollback ends the transaction and forgets what it did. After Commit it returns ErrClosed and does
// nothing, so that it may be deferred.
func (tx *Tx) Rollback() error {
	return tx.do(func() error {
		return tx.db.short(context.Background(), func(_ *C.uint32_t, why *C.imgret_error) C.int32_t {
			return C.imgret_rollback(tx.db.c, why)
		})
	}, true)
}

// Update runs work in a transaction: committed when it returns nil, forgotten when it returns an
// error or panics.
func (db *DB) Update(ctx context.Context, work func(tx *Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing is left to do after Commit
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit()
}
