//go:build !imgret_flags

package imgret

// Built with the tag imgret_flags, the package takes CGO_CFLAGS and CGO_LDFLAGS alone.

// #cgo pkg-config: imgret
import "C"
