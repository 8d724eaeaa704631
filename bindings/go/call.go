package imgret

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// handle counts the calls that run on something, so that Close waits for them.
type handle struct {
	running int64
	closed  uint32
}

// enter is false once it is closed. The count goes up first: close looks the other way round.
func (h *handle) enter() bool {
	atomic.AddInt64(&h.running, 1)
	if atomic.LoadUint32(&h.closed) != 0 {
		h.leave()
		return false
	}
	return true
}

func (h *handle) leave() {
	atomic.AddInt64(&h.running, -1)
}

// shut makes enter false and waits for what runs, which stop asks to end; false: it was shut before.
func (h *handle) shut(stop func()) bool {
	if !atomic.CompareAndSwapUint32(&h.closed, 0, 1) {
		return false
	}
	for atomic.LoadInt64(&h.running) > 0 {
		stop()
		time.Sleep(time.Millisecond)
	}
	return true
}

func (h *handle) isClosed() bool {
	return atomic.LoadUint32(&h.closed) != 0
}

// watchAfter is how late a call may hear of its context's end.
const watchAfter = time.Millisecond

// watch returns the word that stops a call when ctx ends, nil when it never does, and what ends the
// watch; an error when ctx has ended already. Each call has a word of its own: a late store reaches
// no other call.
func watch(ctx context.Context) (*C.uint32_t, func(), error) {
	done := ctx.Done()
	if done == nil {
		return nil, nothing, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, nothing, &Error{Code: Interrupted, Message: err.Error(), Cause: err}
	}
	word := new(uint32)
	over := make(chan struct{})
	// Most calls are done before anybody needs to watch: a timer costs less than a goroutine.
	watcher := time.AfterFunc(watchAfter, func() {
		select {
		case <-done:
			atomic.StoreUint32(word, 1)
		case <-over:
		}
	})
	return (*C.uint32_t)(word), func() {
		if !watcher.Stop() {
			close(over)
		}
	}, nil
}

func nothing() {}

// arena is C memory that lives as long as a call.
type arena struct {
	blocks []unsafe.Pointer
	err    error
}

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
	a.blocks = nil
}

// bytes is n bytes of zeros; C.calloc never returns nil to Go.
func (a *arena) bytes(n uintptr) unsafe.Pointer {
	block := C.calloc(1, C.size_t(n+1))
	a.blocks = append(a.blocks, block)
	return block
}

// text is s in C, nil for "".
func (a *arena) text(s string, what string) *C.char {
	if s == "" {
		return nil
	}
	return a.string(s, what)
}

// string is s in C, also when it is empty.
func (a *arena) string(s string, what string) *C.char {
	if strings.IndexByte(s, 0) >= 0 {
		a.err = invalid("%s holds a NUL", what)
		return nil
	}
	block := C.CString(s)
	a.blocks = append(a.blocks, unsafe.Pointer(block))
	return block
}

// words is a NULL-less array of C strings, nil for none.
func (a *arena) texts(all []string, what string) **C.char {
	if len(all) == 0 {
		return nil
	}
	block := a.bytes(uintptr(len(all)) * unsafe.Sizeof((*C.char)(nil)))
	out := unsafe.Slice((**C.char)(block), len(all))
	for i, one := range all {
		out[i] = a.string(one, what)
	}
	return (**C.char)(block)
}

// goString is "" for NULL.
func goString(text *C.char) string {
	if text == nil {
		return ""
	}
	return C.GoString(text)
}

// newError is where a call tells what went wrong.
func newError() *C.imgret_error {
	return &C.imgret_error{size: C.uint32_t(unsafe.Sizeof(C.imgret_error{}))}
}

func ms(d time.Duration) C.uint32_t {
	if d <= 0 {
		return 0
	}
	n := (d + time.Millisecond - 1) / time.Millisecond
	if n > 0xFFFFFFFE {
		n = 0xFFFFFFFE
	}
	return C.uint32_t(n)
}
