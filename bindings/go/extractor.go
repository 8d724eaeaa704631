package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// ExtractorOptions tell how to open an extractor; the zero value, and nil, are the defaults.
type ExtractorOptions struct {
	Threads    int
	PluginPath []string
	Limits     *Limits
	Instances  int
	BatchMax   int
	BatchDelay time.Duration // Never
	QueueMax   int
}

// Extractor is a model that turns pictures into vectors, without a database. Any number of
// goroutines may use it at once; Close it.
type Extractor struct {
	handle
	c     *C.imgret_extractor
	model string
}

// OpenExtractor opens "classic" or a file of weights, as in Options.Model.
func OpenExtractor(model string, options *ExtractorOptions) (*Extractor, error) {
	if options == nil {
		options = &ExtractorOptions{}
	}
	var a arena
	defer a.free()
	wanted := C.imgret_extractor_options{
		threads:        C.uint32_t(options.Threads),
		plugin_path:    a.text(strings.Join(options.PluginPath, ":"), "PluginPath"),
		limits:         a.limits(options.Limits),
		instances:      C.uint32_t(options.Instances),
		batch_max:      C.uint32_t(options.BatchMax),
		batch_delay_us: orNone(options.BatchDelay, us),
		queue_max:      C.uint32_t(options.QueueMax),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	text := a.string(model, "a model")
	if a.err != nil {
		return nil, a.err
	}
	e := &Extractor{model: model}
	why := newError()
	if status := C.imgret_extractor_open(&e.c, text, &wanted, why); status != 0 {
		return nil, failure(status, why, nil, nil)
	}
	runtime.SetFinalizer(e, func(e *Extractor) { reportLeak("extractor " + e.model) })
	return e, nil
}

// Close waits for the calls that are running and closes. A second Close does nothing.
func (e *Extractor) Close() error {
	if e.shut(nothing) {
		runtime.SetFinalizer(e, nil)
		C.imgret_extractor_close(e.c)
	}
	return nil
}

// Info tells what the extractor is.
func (e *Extractor) Info() (ExtractorInfo, error) {
	if !e.enter() {
		return ExtractorInfo{}, ErrClosed
	}
	defer e.leave()
	var out C.imgret_extractor_info
	out.size = C.uint32_t(unsafe.Sizeof(out))
	why := newError()
	if status := C.imgret_extractor_get_info(e.c, &out, why); status != 0 {
		return ExtractorInfo{}, failure(status, why, nil, nil)
	}
	return infoOf(&out), nil
}

// Extraction is what was found of one picture.
type Extraction struct {
	Err        error     // why the picture cannot be read; all else is then zero
	Vector     []float32 // of unit length
	Logits     []float32 // of the model's classification head, before any softmax; nil without one
	Label      int       // class of the largest
	LabelScore float64   // its softmax, 0 to 1
}

// Extract extracts pictures; a bad one has its Err and fails no other. The context is looked at
// before it begins: a model is run to its end.
func (e *Extractor) Extract(ctx context.Context, pictures []Input) ([]Extraction, error) {
	return e.extract(ctx, pictures, 0)
}

// ExtractPrepared is Extract for pixels of the model's own InputWidth x InputHeight, which go to it as
// they are: no resize, no crop, no clean-up.
func (e *Extractor) ExtractPrepared(ctx context.Context, pictures []Input) ([]Extraction, error) {
	return e.extract(ctx, pictures, C.IMGRET_EXTRACT_PREPARED)
}

func (e *Extractor) extract(ctx context.Context, pictures []Input, flags C.uint32_t) ([]Extraction, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := e.Info()
	if err != nil || len(pictures) == 0 {
		return nil, err
	}
	if !e.enter() {
		return nil, ErrClosed
	}
	defer e.leave()
	var a arena
	defer a.free()
	inputs, err := a.inputs(pictures)
	if err != nil {
		return nil, err
	}
	n := len(pictures)
	vectors, vectorsC := a.floats(n * info.Dimension)
	wanted := C.imgret_extraction{
		flags:         flags,
		vectors:       vectorsC,
		vector_floats: C.uint64_t(len(vectors)),
		statuses:      (*C.int32_t)(a.bytes(uintptr(n) * 4)),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	var logits []float32
	if info.ClassCount > 0 {
		logits, wanted.logits = a.floats(n * info.ClassCount)
		wanted.logit_floats = C.uint64_t(len(logits))
		wanted.labels = (*C.uint32_t)(a.bytes(uintptr(n) * 4))
		_, wanted.label_scores = a.floats(n)
	}
	why := newError()
	if status := C.imgret_extract_with(e.c, inputs, C.uint32_t(n), &wanted, why); status != 0 {
		return nil, failure(status, why, nil, nil)
	}
	return extractions(&wanted, n, info, vectors, logits), nil
}

// floats is C memory for n floats, seen from both sides.
func (a *arena) floats(n int) ([]float32, *C.float) {
	block := a.bytes(uintptr(n) * 4)
	return unsafe.Slice((*float32)(block), n), (*C.float)(block)
}

func extractions(from *C.imgret_extraction, n int, info ExtractorInfo, vectors, logits []float32) []Extraction {
	out := make([]Extraction, n)
	vectors = append([]float32(nil), vectors...)
	logits = append([]float32(nil), logits...)
	for i, status := range unsafe.Slice(from.statuses, n) {
		if status != 0 {
			out[i].Err = &Error{Code: Code(status), Message: Code(status).Name()}
			continue
		}
		out[i].Vector = vectors[i*info.Dimension : (i+1)*info.Dimension : (i+1)*info.Dimension]
		if info.ClassCount > 0 {
			out[i].Logits = logits[i*info.ClassCount : (i+1)*info.ClassCount : (i+1)*info.ClassCount]
			out[i].Label = int(unsafe.Slice(from.labels, n)[i])
			out[i].LabelScore = float64(unsafe.Slice(from.label_scores, n)[i])
		}
	}
	return out
}

// Label is the name of a class; NotFound when the model's specification has no "labels=FILE".
func (e *Extractor) Label(class int) (string, error) {
	if !e.enter() {
		return "", ErrClosed
	}
	defer e.leave()
	var name [1025]C.char
	why := newError()
	status := C.imgret_extractor_get_label(e.c, C.uint32_t(class), &name[0], C.uint32_t(len(name)), why)
	if status != 0 {
		return "", failure(status, why, nil, nil)
	}
	return goString(&name[0]), nil
}

// Replace goes over to another model, whose vectors have the same dimension; calls that run
// meanwhile end on the old one.
func (e *Extractor) Replace(model string) error {
	if !e.enter() {
		return ErrClosed
	}
	defer e.leave()
	var a arena
	defer a.free()
	text := a.string(model, "a model")
	if a.err != nil {
		return a.err
	}
	why := newError()
	return failure(C.imgret_extractor_replace(e.c, text, why), why, nil, nil)
}

// InspectModel looks into a file of weights. One that cannot be used is described, too.
func InspectModel(model string, pluginPath []string) (ModelReport, error) {
	var a arena
	defer a.free()
	text := a.string(model, "a model")
	plugins := a.text(strings.Join(pluginPath, ":"), "a plugin path")
	if a.err != nil {
		return ModelReport{}, a.err
	}
	var out *C.imgret_inspection
	why := newError()
	if status := C.imgret_inspect_model(&out, text, plugins, why); status != 0 {
		return ModelReport{}, failure(status, why, nil, nil)
	}
	defer C.imgret_inspection_free(out)
	return modelReportOf(C.imgret_inspection_report(out)), nil
}

// PCAOptions tell how to learn principal components; the zero value, and nil, are the defaults.
type PCAOptions struct {
	Dimension int    // components to keep; default 128
	Whiten    bool   // divide each by its standard deviation
	Identity  string // ExtractorInfo.Identity of what made the vectors: the file then fits no other
}

// TrainPCA learns the principal components of vectors and writes them to the file path, for a model
// such as "vit.safetensors;pca=PATH". It returns the share of the variance that they hold, 0 to 1.
func TrainPCA(path string, vectors [][]float32, options *PCAOptions) (float64, error) {
	if options == nil {
		options = &PCAOptions{}
	}
	if len(vectors) == 0 {
		return 0, invalid("no vectors to learn from")
	}
	var a arena
	defer a.free()
	wanted := C.imgret_pca_options{
		dimension: C.uint32_t(options.Dimension),
		identity:  a.text(options.Identity, "Identity"),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.Whiten {
		wanted.flags = C.IMGRET_PCA_WHITEN
	}
	file := a.string(path, "a path")
	if a.err != nil {
		return 0, a.err
	}
	dimension := len(vectors[0])
	rows := make([]float32, 0, len(vectors)*dimension+1)
	for i, vector := range vectors {
		if len(vector) != dimension {
			return 0, invalid("vector %d has %d numbers, the first %d", i, len(vector), dimension)
		}
		rows = append(rows, vector...)
	}
	rows = append(rows, 0)
	var share C.double
	why := newError()
	status := C.imgret_pca_train(file, (*C.float)(unsafe.Pointer(&rows[0])),
		C.uint64_t(len(vectors)), C.uint32_t(dimension), &wanted, &share, why)
	return float64(share), failure(status, why, nil, nil)
}
