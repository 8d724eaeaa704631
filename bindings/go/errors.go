package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
)

// Code is a status code of libimgret (imgret.h); it never changes its number or its meaning. It is
// an error itself, so that errors.Is(err, imgret.NotFound) asks what went wrong.
type Code int32

// The status codes.
const (
	InvalidArgument Code = C.IMGRET_INVALID_ARGUMENT // the arguments make no sense; the message says which
	NoMemory        Code = C.IMGRET_NO_MEMORY        // an allocation failed
	IO              Code = C.IMGRET_IO               // the operating system refused a read or write
	NotFound        Code = C.IMGRET_NOT_FOUND        // no such file, image, plugin or setting
	Corrupt         Code = C.IMGRET_CORRUPT          // a file of the database is damaged or is no database
	Busy            Code = C.IMGRET_BUSY             // another process or thread holds what is needed
	Full            Code = C.IMGRET_FULL             // the disk is full; what was acknowledged is safe
	Limit           Code = C.IMGRET_LIMIT            // a limit (bytes, dimensions, pixels) would be exceeded
	Unsupported     Code = C.IMGRET_UNSUPPORTED      // known, but not by this build of the library
	BadImage        Code = C.IMGRET_BAD_IMAGE        // the bytes are no picture, or a damaged one
	BadModel        Code = C.IMGRET_BAD_MODEL        // weights or a backend that cannot be used
	Mismatch        Code = C.IMGRET_MISMATCH         // the database was made with another extractor or setting
	ReadOnly        Code = C.IMGRET_READ_ONLY        // the handle or the medium does not allow writing
	Interrupted     Code = C.IMGRET_INTERRUPTED      // stopped by a context, a callback, Interrupt or Close
	VersionTooNew   Code = C.IMGRET_VERSION_TOO_NEW  // written by, or built for, a newer libimgret
	Forked          Code = C.IMGRET_FORKED           // the handle belongs to the parent process
	Exists          Code = C.IMGRET_EXISTS           // it is there already
	Internal        Code = C.IMGRET_INTERNAL         // a bug in libimgret: please report the message
)

// Name is the pinned name of the code, such as "IMGRET_NOT_FOUND".
func (c Code) Name() string {
	return C.GoString(C.imgret_status_name(C.int32_t(c)))
}

func (c Code) Error() string {
	return c.Name()
}

// Error is a failed call. It is its Code for errors.Is; a call that its context stopped is also the
// context's error, context.Canceled or context.DeadlineExceeded.
type Error struct {
	Code    Code
	Message string // one line that names the thing at fault
	Cause   error  // the context's or a callback's error that stopped the call, else nil
}

func (e *Error) Error() string {
	return "imgret: " + e.Message
}

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	code, is := target.(Code)
	return is && code == e.Code
}

// Unwrap is what stopped the call.
func (e *Error) Unwrap() error {
	return e.Cause
}

// ErrClosed is what every call on a closed database, extractor or transaction returns.
var ErrClosed = errors.New("imgret: it is closed")

func invalid(format string, values ...any) error {
	return &Error{Code: InvalidArgument, Message: fmt.Sprintf(format, values...)}
}

// failure is the error of a status; ctx and callbacks (both may be nil) may be why it was stopped.
func failure(status C.int32_t, from *C.imgret_error, ctx context.Context, told *callbacks) error {
	if status == 0 {
		return nil
	}
	err := &Error{Code: Code(status), Message: C.GoString(&from.message[0])}
	if err.Message == "" {
		err.Message = err.Code.Name()
	}
	if err.Code == Interrupted {
		if told != nil && told.err != nil {
			err.Cause = told.err
		} else if ctx != nil {
			err.Cause = ctx.Err()
		}
	}
	return err
}
