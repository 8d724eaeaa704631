package imgret

// #include "bridge.h"
import "C"

import (
	"image"
	"image/draw"
	"io"
	"strings"
	"unsafe"
)

// Input is a picture, a vector or an image of the database: what is added, or asked with.
type Input struct {
	kind     C.uint32_t
	data     []byte // a path with its NUL, encoded bytes, pixels
	vector   []float32
	reader   io.Reader
	id       int64
	width    int
	height   int
	rowBytes int
	format   PixelFormat
	err      error
}

// PixelFormat says how pixels lie in memory.
type PixelFormat uint32

// The formats of pixels.
const (
	RGB8  PixelFormat = C.IMGRET_PIXELS_RGB8  // 3 bytes a pixel, sRGB
	RGBA8 PixelFormat = C.IMGRET_PIXELS_RGBA8 // 4 bytes, alpha not premultiplied
	Gray8 PixelFormat = C.IMGRET_PIXELS_GRAY8 // 1 byte
	BGR8  PixelFormat = C.IMGRET_PIXELS_BGR8  // 3 bytes
)

// File is the picture in a file.
func File(path string) Input {
	if strings.IndexByte(path, 0) >= 0 {
		return Input{err: invalid("a path holds a NUL")}
	}
	return Input{kind: C.IMGRET_INPUT_FILE, data: append([]byte(path), 0)}
}

// Bytes is an encoded picture: JPEG, PNG and so on. They are used in place.
func Bytes(encoded []byte) Input {
	return Input{kind: C.IMGRET_INPUT_BYTES, data: encoded}
}

// Reader is an encoded picture that is read to its end when the call is made, once.
func Reader(from io.Reader) Input {
	return Input{kind: C.IMGRET_INPUT_BYTES, reader: from}
}

// Pixels is a picture in memory, used in place; rowBytes is from one row to the next, 0 when they
// are packed.
func Pixels(data []byte, width, height, rowBytes int, format PixelFormat) Input {
	if width < 0 || height < 0 || rowBytes < 0 {
		return Input{err: invalid("pixels of %d x %d, %d bytes a row", width, height, rowBytes)}
	}
	return Input{kind: C.IMGRET_INPUT_PIXELS, data: data, width: width, height: height,
		rowBytes: rowBytes, format: format}
}

// Image is a decoded picture. An *image.NRGBA or *image.Gray is used in place, others are converted.
func Image(picture image.Image) Input {
	box := picture.Bounds()
	switch p := picture.(type) {
	case *image.Gray:
		return Pixels(p.Pix, box.Dx(), box.Dy(), p.Stride, Gray8)
	case *image.NRGBA:
		return Pixels(p.Pix, box.Dx(), box.Dy(), p.Stride, RGBA8)
	}
	whole := image.NewNRGBA(image.Rect(0, 0, box.Dx(), box.Dy()))
	draw.Draw(whole, whole.Rect, picture, box.Min, draw.Src)
	return Pixels(whole.Pix, box.Dx(), box.Dy(), whole.Stride, RGBA8)
}

// Vector is a ready feature vector, used in place.
func Vector(vector []float32) Input {
	return Input{kind: C.IMGRET_INPUT_VECTOR, vector: vector}
}

// ID is an image of the database; queries only.
func ID(id int64) Input {
	return Input{kind: C.IMGRET_INPUT_ID, id: id}
}

// For inputs without data or vector: their address is never read.
var (
	noBytes  = make([]byte, 1)
	noFloats = make([]float32, 1)
)

// read makes out ready for C but for its pointers: those are to data[0] and vector[0], which are
// there in any case.
func (in *Input) read(out *C.imgret_input) (data []byte, vector []float32, err error) {
	if in.err != nil {
		return nil, nil, in.err
	}
	if in.kind == 0 {
		return nil, nil, invalid("an empty Input")
	}
	data, vector = in.data, in.vector
	if in.reader != nil {
		if data, err = io.ReadAll(in.reader); err != nil {
			return nil, nil, err
		}
	}
	*out = C.imgret_input{
		size:         C.uint32_t(unsafe.Sizeof(*out)),
		kind:         in.kind,
		data_bytes:   C.uint64_t(len(data)),
		row_bytes:    C.uint64_t(in.rowBytes),
		width:        C.uint32_t(in.width),
		height:       C.uint32_t(in.height),
		pixel_format: C.uint32_t(in.format),
		dimension:    C.uint32_t(len(vector)),
		id:           C.int64_t(in.id),
	}
	if len(data) == 0 {
		data = noBytes
	}
	if len(vector) == 0 {
		vector = noFloats
	}
	return data, vector, nil
}

// inC is a copy of the input, and of what it points to, in C memory.
func (a *arena) input(out *C.imgret_input, in *Input) error {
	data, vector, err := in.read(out)
	if err != nil {
		return err
	}
	switch out.kind {
	case C.IMGRET_INPUT_VECTOR:
		n := uintptr(out.dimension)
		block := a.bytes(n * 4)
		copy(unsafe.Slice((*float32)(block), n), vector)
		out.vector = (*C.float)(block)
	case C.IMGRET_INPUT_ID:
	default:
		block := a.bytes(uintptr(len(data)))
		copy(unsafe.Slice((*byte)(block), len(data)), data)
		if out.kind == C.IMGRET_INPUT_FILE {
			out.path = (*C.char)(block)
		} else {
			out.data = block
		}
	}
	return nil
}
