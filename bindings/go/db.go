package imgret

// #include "bridge.h"
import "C"

import (
	"log"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// Metric says how vectors are compared.
type Metric uint32

// The metrics; zero is that of the database, Cosine for a new one.
const (
	Cosine       Metric = C.IMGRET_METRIC_COSINE        // score = cosine of the angle, -1..1
	InnerProduct Metric = C.IMGRET_METRIC_INNER_PRODUCT // score = inner product
	L2           Metric = C.IMGRET_METRIC_L2            // score = minus the Euclidean distance
)

// VectorType says how vectors are stored.
type VectorType uint32

// The types; zero is that of the database, F16 for a new one.
const (
	F16 VectorType = C.IMGRET_VECTOR_F16
	F32 VectorType = C.IMGRET_VECTOR_F32
)

// Never, where a duration has a default, is none at all.
const Never time.Duration = -1

// Limits is what a picture may cost, checked before memory is taken for it; zero is the default.
type Limits struct {
	DimensionMax  uint32 // pixels of width or of height
	FileBytesMax  uint64
	PixelCountMax uint64
}

// Options tell how to open a database; the zero value, and nil, are the defaults.
type Options struct {
	// Model is what turns pictures into vectors: "classic" (built in, the default of a new
	// database), a file of weights, or "vectors:512" for ready vectors. "" opens a database with
	// the model it was made with.
	Model      string
	Regions    string     // "none", "center", "grid=2x2", "detector:MODEL": docs/regions.md
	Metric     Metric     // of a new database
	VectorType VectorType // of a new database
	// DecodeIsolation, "auto" or the path of imgret-decode, decodes pictures in confined processes of
	// their own: docs/isolation.md.
	DecodeIsolation string
	ReadOnly        bool
	Existing        bool // NotFound instead of making it
	New             bool // Exists instead of opening it
	Maintain        bool // a thread of the handle optimizes by itself when it pays
	PluginPath      []string
	Limits          *Limits
	Threads         int
	BusyTimeout     time.Duration // wait for another writer; 5 seconds by default, Never

	IndexRAMBytes uint64 // for codes and graphs of segments; default as much as they want
	// How the model serves many goroutines, see docs/models.md.
	Instances         int
	BatchMax          int
	BatchDelay        time.Duration // Never
	QueueMax          int
	FeatureCacheBytes uint64 // for vectors of pictures seen lately; 8 MiB by default
	NoFeatureCache    bool
}

// DB is an open database. Any number of goroutines may use it at once; Close it.
type DB struct {
	handle
	c         *C.imgret
	path      string
	dimension int
}

// Leaked is told of a database, extractor or transaction that was forgotten without Close: its
// resources are lost, not freed behind the program's back. nil for silence.
var Leaked = func(what string) { log.Print("imgret: leaked: " + what + " was never closed") }

func reportLeak(what string) {
	if Leaked != nil {
		Leaked(what)
	}
}

func orNone(d time.Duration, convert func(time.Duration) C.uint32_t) C.uint32_t {
	if d < 0 {
		return C.IMGRET_NO_WAIT
	}
	return convert(d)
}

func us(d time.Duration) C.uint32_t {
	if d > 4000*time.Second {
		d = 4000 * time.Second
	}
	return C.uint32_t((d + time.Microsecond - 1) / time.Microsecond)
}

func (a *arena) limits(l *Limits) *C.imgret_limits {
	if l == nil {
		return nil
	}
	out := (*C.imgret_limits)(a.bytes(unsafe.Sizeof(C.imgret_limits{})))
	out.size = C.uint32_t(unsafe.Sizeof(*out))
	out.dimension_max = C.uint32_t(l.DimensionMax)
	out.file_bytes_max = C.uint64_t(l.FileBytesMax)
	out.pixel_count_max = C.uint64_t(l.PixelCountMax)
	return out
}

func (o *Options) inC(a *arena) C.imgret_open_options {
	out := C.imgret_open_options{
		model:            a.text(o.Model, "Model"),
		plugin_path:      a.text(strings.Join(o.PluginPath, ":"), "PluginPath"),
		limits:           a.limits(o.Limits),
		metric:           C.uint32_t(o.Metric),
		vector_type:      C.uint32_t(o.VectorType),
		threads:          C.uint32_t(o.Threads),
		busy_timeout_ms:  orNone(o.BusyTimeout, ms),
		index_ram_bytes:  C.uint64_t(o.IndexRAMBytes),
		instances:        C.uint32_t(o.Instances),
		batch_max:        C.uint32_t(o.BatchMax),
		batch_delay_us:   orNone(o.BatchDelay, us),
		queue_max:        C.uint32_t(o.QueueMax),
		regions:          a.text(o.Regions, "Regions"),
		decode_isolation: a.text(o.DecodeIsolation, "DecodeIsolation"),
	}
	out.size = C.uint32_t(unsafe.Sizeof(out))
	out.feature_cache_bytes = C.uint64_t(o.FeatureCacheBytes)
	if o.NoFeatureCache {
		out.feature_cache_bytes = C.IMGRET_NO_CACHE
	}
	for flag, wanted := range map[C.uint32_t]bool{
		C.IMGRET_OPEN_READ_ONLY: o.ReadOnly,
		C.IMGRET_OPEN_EXISTING:  o.Existing,
		C.IMGRET_OPEN_NEW:       o.New,
		C.IMGRET_OPEN_MAINTAIN:  o.Maintain,
	} {
		if wanted {
			out.flags |= flag
		}
	}
	return out
}

// Open opens the database in folder path, or makes it.
func Open(path string, options *Options) (*DB, error) {
	if options == nil {
		options = &Options{}
	}
	var a arena
	defer a.free()
	wanted := options.inC(&a)
	folder := a.string(path, "a path")
	if a.err != nil {
		return nil, a.err
	}
	db := &DB{path: path}
	why := newError()
	if status := C.imgret_open(&db.c, folder, &wanted, why); status != 0 {
		return nil, failure(status, why, nil, nil)
	}
	stats, err := db.Stats()
	if err != nil {
		C.imgret_close(db.c)
		return nil, err
	}
	db.dimension = stats.Dimension
	runtime.SetFinalizer(db, func(db *DB) { reportLeak("database " + db.path) })
	return db, nil
}

// Close stops the calls that are running, which then return Interrupted, waits for them and closes.
// It must not be called from a callback. A second Close does nothing.
func (db *DB) Close() error {
	if db.shut(func() { C.imgret_interrupt(db.c) }) {
		runtime.SetFinalizer(db, nil)
		C.imgret_close(db.c)
	}
	return nil
}

// Path is the folder, as it was given to Open.
func (db *DB) Path() string {
	return db.path
}

// Dimension is that of the database's vectors.
func (db *DB) Dimension() int {
	return db.dimension
}

// Interrupt makes all calls that are running return Interrupted soon.
func (db *DB) Interrupt() {
	if db.enter() {
		C.imgret_interrupt(db.c)
		db.leave()
	}
}

// Version is that of the library that is loaded.
func Version() string {
	return C.GoString(C.imgret_version_string())
}
