//go:build imgret_flags

package imgret

// #cgo LDFLAGS: -limgret
import "C"
