package imgret

// #include "bridge.h"
import "C"

import (
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// callbacks are what a call may tell while it runs, on the goroutine that made it. An error stops it
// and comes out of it as the Cause; a panic goes on there once the library has returned.
type callbacks struct {
	item     func(IngestItem) error
	progress func(IngestProgress) error
	share    func(float64) error
	done     func(done, total uint64) error
	problem  func(string) error
	rerank   func([]Hit, []float64) error
	label    func(LabelItem) error
	group    func(DuplicateGroup) error

	err      error
	panicked any
}

// with runs call with a number under which C finds the callbacks.
func (c *callbacks) with(call func(user C.uintptr_t)) {
	number := cgo.NewHandle(c)
	defer number.Delete()
	call(C.uintptr_t(number))
	if c.panicked != nil {
		panic(c.panicked)
	}
}

// told runs tell and says whether the library is to go on (0).
func told(user C.uintptr_t, tell func(*callbacks) error) (status C.int32_t) {
	c := cgo.Handle(user).Value().(*callbacks)
	defer func() {
		// Nothing may unwind the library's frames.
		if what := recover(); what != nil {
			c.panicked, status = what, 1
		}
	}()
	if err := tell(c); err != nil {
		c.err = err
		return 1
	}
	return 0
}

//export imgretGoItem
func imgretGoItem(user C.uintptr_t, item *C.imgret_ingest_item) C.int32_t {
	return told(user, func(c *callbacks) error {
		if c.item == nil {
			return nil
		}
		return c.item(itemOf(item))
	})
}

//export imgretGoProgress
func imgretGoProgress(user C.uintptr_t, progress *C.imgret_ingest_progress) C.int32_t {
	return told(user, func(c *callbacks) error {
		if c.progress == nil {
			return nil
		}
		return c.progress(progressOf(progress))
	})
}

//export imgretGoShare
func imgretGoShare(user C.uintptr_t, done C.double) C.int32_t {
	return told(user, func(c *callbacks) error {
		if c.share == nil {
			return nil
		}
		return c.share(float64(done))
	})
}

//export imgretGoDone
func imgretGoDone(user C.uintptr_t, done, total C.uint64_t) C.int32_t {
	return told(user, func(c *callbacks) error {
		if c.done == nil {
			return nil
		}
		return c.done(uint64(done), uint64(total))
	})
}

//export imgretGoProblem
func imgretGoProblem(user C.uintptr_t, message *C.char) C.int32_t {
	return told(user, func(c *callbacks) error { return c.problem(goString(message)) })
}

//export imgretGoRerank
func imgretGoRerank(user C.uintptr_t, first *C.imgret_hit, count C.uint64_t, scores *C.double) C.int32_t {
	return told(user, func(c *callbacks) error {
		return c.rerank(hitsOf(first, int(count)), unsafe.Slice((*float64)(scores), int(count)))
	})
}

//export imgretGoLabel
func imgretGoLabel(user C.uintptr_t, item *C.imgret_label_item) C.int32_t {
	return told(user, func(c *callbacks) error {
		if c.label == nil {
			return nil
		}
		return c.label(labelItemOf(item))
	})
}

//export imgretGoGroup
func imgretGoGroup(user C.uintptr_t, group *C.imgret_duplicate_group) C.int32_t {
	return told(user, func(c *callbacks) error {
		if c.group == nil {
			return nil
		}
		return c.group(groupOf(group))
	})
}

// LogLevel says how urgent a message of the library is.
type LogLevel int32

// The levels, most urgent first.
const (
	LogError   LogLevel = C.IMGRET_LOG_ERROR
	LogWarning LogLevel = C.IMGRET_LOG_WARNING
	LogInfo    LogLevel = C.IMGRET_LOG_INFO
	LogDebug   LogLevel = C.IMGRET_LOG_DEBUG
)

var logTarget atomic.Value // of func(LogLevel, string)

// SetLog sends messages of level and more urgent to log; nil silences the library, as it is at
// first. The function may run on any thread and must not call this package.
func SetLog(log func(level LogLevel, message string), level LogLevel) {
	if log == nil {
		C.imgret_go_set_log(0)
		return
	}
	logTarget.Store(log)
	C.imgret_go_set_log(C.int32_t(level))
}

//export imgretGoLog
func imgretGoLog(level C.int32_t, message *C.char) {
	if log, is := logTarget.Load().(func(LogLevel, string)); is {
		log(LogLevel(level), goString(message))
	}
}
