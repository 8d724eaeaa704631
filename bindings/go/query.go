package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"math"
	"sync"
	"time"
	"unsafe"
)

// Params are values for the parameters of a filter: nil, bool, integers, floats and strings.
type Params map[string]any

// Filter picks images by an SQL expression over the columns of docs/filters.md, such as
// "label = 'cat' AND width > :least". What users type belongs into Params. The zero value is all.
type Filter struct {
	Where  string
	Params Params
	Max    time.Duration // what evaluating it may take; 10 seconds by default
}

// Term is one of several examples that a query is made of, with its weight: negative is unlike it.
type Term struct {
	Input  Input
	Weight float64 // default 1
}

// ColorTerm is a colour that pictures should have, sRGB, and its share beside the others.
type ColorTerm struct {
	Red, Green, Blue uint8
	Weight           float64 // default 1
}

// Combine says how several examples count.
type Combine uint32

// The ways to combine.
const (
	Mean Combine = C.IMGRET_COMBINE_MEAN // one search, by the weighted mean of their vectors
	Best Combine = C.IMGRET_COMBINE_BEST // a picture counts by the example it is most like
)

// Search says what is compared in a database with regions.
type Search uint32

// What can be searched.
const (
	Whole   Search = C.IMGRET_SEARCH_WHOLE
	Objects Search = C.IMGRET_SEARCH_OBJECTS
	Both    Search = C.IMGRET_SEARCH_BOTH
)

// QueryOptions tell what a query wants; the zero value, and nil, are the defaults.
type QueryOptions struct {
	K            int      // results wanted; default 10
	MinScore     *float64 // no result below it
	IncludeSelf  bool     // a query by ID may return that image too
	Filter       Filter
	ExcludeIDs   []int64
	Effort       int           // candidates that a search of a segment keeps; default: the library's choice
	TargetRecall float64       // 0.5 to 0.9999, instead of Effort
	Deadline     time.Duration // what the call may take, then Interrupted
	AllowPartial bool          // then, or when its context ends, the best so far: Stats.Partial
	Cursor       string        // Results.Cursor of the page before

	Terms          []Term // further examples
	Combine        Combine
	Colors         []ColorTerm
	ColorWeight    float64 // of colours beside examples, 0..1; default 0.5
	CandidateCount int     // pictures that colours, Diversity and Rerank look at
	Diversity      float64 // 0 to 1: how much a result should differ from those before it
	// Rerank may change scores[i], the score of hits[i]; an error stops the query.
	Rerank func(hits []Hit, scores []float64) error

	Box        *Box // ask with this part of the picture
	MainObject bool // or with its main object
	Region     int  // or, of an ID, with that object
	Search     Search
	Group      bool // one result an image: its best region
	Estimated  bool // scores of results in segments may be estimates, for fewer reads
	IDsOnly    bool // ID and Score of each result are all that is wanted: records need not be read

	MinLikeness  Likeness // in place of MinScore: what Calibrate found
	RerankBy     RerankBy // what the candidates are also ranked by
	RerankWeight float64  // of that, 0..1; default 0.5
}

// Likeness is a level of scores that says the same under every model: see DB.Calibrate.
type Likeness uint32

// The levels.
const (
	LikenessSimilar Likeness = C.IMGRET_LIKENESS_SIMILAR // few pictures at random are as alike
	LikenessNear    Likeness = C.IMGRET_LIKENESS_NEAR    // as a picture and a copy that was cut a little
	LikenessSame    Likeness = C.IMGRET_LIKENESS_SAME    // as a picture and a copy encoded anew
)

// RerankBy says in which other way candidates are looked at.
type RerankBy uint32

// The ways.
const (
	RerankColor    RerankBy = C.IMGRET_RERANK_COLOR    // by their dominant colours
	RerankGeometry RerankBy = C.IMGRET_RERANK_GEOMETRY // by places that look and lie alike; reads files
)

func (a *arena) filter(f *Filter, where **C.char, params **C.imgret_param, count, max *C.uint32_t) {
	*where = a.text(f.Where, "Filter.Where")
	*max = ms(f.Max)
	if len(f.Params) == 0 {
		return
	}
	size := unsafe.Sizeof(C.imgret_param{})
	rows := unsafe.Slice((*C.imgret_param)(a.bytes(uintptr(len(f.Params))*size)), len(f.Params))
	i := 0
	for name, value := range f.Params {
		rows[i].size = C.uint32_t(size)
		rows[i].name = a.string(name, "the name of a parameter")
		a.param(&rows[i], name, value)
		i++
	}
	*params, *count = &rows[0], C.uint32_t(len(rows))
}

func (a *arena) param(row *C.imgret_param, name string, value any) {
	row.kind = C.IMGRET_PARAM_INTEGER
	switch v := value.(type) {
	case nil:
		row.kind = C.IMGRET_PARAM_NULL
	case string:
		row.kind, row.text = C.IMGRET_PARAM_TEXT, a.string(v, "parameter "+name)
	case float64:
		row.kind, row.real = C.IMGRET_PARAM_REAL, C.double(v)
	case float32:
		row.kind, row.real = C.IMGRET_PARAM_REAL, C.double(v)
	case bool:
		if v {
			row.integer = 1
		}
	case int:
		row.integer = C.int64_t(v)
	case int8:
		row.integer = C.int64_t(v)
	case int16:
		row.integer = C.int64_t(v)
	case int32:
		row.integer = C.int64_t(v)
	case int64:
		row.integer = C.int64_t(v)
	case uint8:
		row.integer = C.int64_t(v)
	case uint16:
		row.integer = C.int64_t(v)
	case uint32:
		row.integer = C.int64_t(v)
	case uint:
		a.unsigned(row, name, uint64(v))
	case uint64:
		a.unsigned(row, name, v)
	default:
		a.err = invalid("parameter %s is a %T: nil, bool, an integer, a float or a string", name, value)
	}
}

func (a *arena) unsigned(row *C.imgret_param, name string, value uint64) {
	if value > math.MaxInt64 {
		a.err = invalid("parameter %s does not fit into 64 bits with a sign: %d", name, value)
	}
	row.integer = C.int64_t(value)
}

func (a *arena) terms(terms []Term) *C.imgret_term {
	if len(terms) == 0 {
		return nil
	}
	size := unsafe.Sizeof(C.imgret_term{})
	rows := unsafe.Slice((*C.imgret_term)(a.bytes(uintptr(len(terms))*size)), len(terms))
	for i := range terms {
		input := (*C.imgret_input)(a.bytes(unsafe.Sizeof(C.imgret_input{})))
		if err := a.input(input, &terms[i].Input); err != nil {
			a.err = err
		}
		rows[i].size, rows[i].input = C.uint32_t(size), input
		rows[i].weight = C.double(terms[i].Weight)
	}
	return &rows[0]
}

func (a *arena) colors(colors []ColorTerm) *C.imgret_color_term {
	if len(colors) == 0 {
		return nil
	}
	size := unsafe.Sizeof(C.imgret_color_term{})
	rows := unsafe.Slice((*C.imgret_color_term)(a.bytes(uintptr(len(colors))*size)), len(colors))
	for i, color := range colors {
		rows[i] = C.imgret_color_term{size: C.uint32_t(size), red: C.uint8_t(color.Red),
			green: C.uint8_t(color.Green), blue: C.uint8_t(color.Blue), weight: C.double(color.Weight)}
	}
	return &rows[0]
}

func (o *QueryOptions) flags() (flags C.uint32_t) {
	if o.MinScore != nil {
		flags |= C.IMGRET_QUERY_MIN_SCORE
	}
	if o.IncludeSelf {
		flags |= C.IMGRET_QUERY_INCLUDE_SELF
	}
	if o.AllowPartial {
		flags |= C.IMGRET_QUERY_ALLOW_PARTIAL
	}
	if o.Group {
		flags |= C.IMGRET_QUERY_GROUP
	}
	if o.Estimated {
		flags |= C.IMGRET_QUERY_ESTIMATED
	}
	if o.IDsOnly {
		flags |= C.IMGRET_QUERY_IDS_ONLY
	}
	if o.MainObject {
		flags |= C.IMGRET_QUERY_MAIN_OBJECT
	}
	return flags
}

// inC makes out the same options; what they point to is the arena's.
func (o *QueryOptions) inC(out *C.imgret_query_options, a *arena) {
	*out = C.imgret_query_options{
		size:            C.uint32_t(unsafe.Sizeof(*out)),
		flags:           o.flags(),
		k:               C.uint32_t(o.K),
		effort:          C.uint32_t(o.Effort),
		deadline_ms:     ms(o.Deadline),
		target_recall:   C.float(o.TargetRecall),
		terms:           a.terms(o.Terms),
		term_count:      C.uint32_t(len(o.Terms)),
		combine:         C.uint32_t(o.Combine),
		colors:          a.colors(o.Colors),
		color_count:     C.uint32_t(len(o.Colors)),
		candidate_count: C.uint32_t(o.CandidateCount),
		color_weight:    C.double(o.ColorWeight),
		exclude_count:   C.uint64_t(len(o.ExcludeIDs)),
		cursor:          a.text(o.Cursor, "Cursor"),
		diversity:       C.double(o.Diversity),
		search:          C.uint32_t(o.Search),
		region:          C.uint32_t(o.Region),
		min_likeness:    C.uint32_t(o.MinLikeness),
		rerank_by:       C.uint32_t(o.RerankBy),
		rerank_weight:   C.double(o.RerankWeight),
	}
	a.filter(&o.Filter, &out.where, &out.params, &out.param_count, &out.where_ms_max)
	if o.K < 0 || o.Effort < 0 || o.CandidateCount < 0 || o.Region < 0 {
		a.err = invalid("a negative number in QueryOptions")
	}
	if o.MinScore != nil {
		out.min_score = C.double(*o.MinScore)
	}
	if n := len(o.ExcludeIDs); n > 0 {
		out.exclude_ids = (*C.int64_t)(a.bytes(uintptr(n) * 8))
		copy(unsafe.Slice((*int64)(out.exclude_ids), n), o.ExcludeIDs)
	}
	if o.Box != nil {
		box := (*C.imgret_box)(a.bytes(unsafe.Sizeof(C.imgret_box{})))
		*box = C.imgret_box{size: C.uint32_t(unsafe.Sizeof(*box)), x: C.int32_t(o.Box.X),
			y: C.int32_t(o.Box.Y), width: C.uint32_t(o.Box.Width), height: C.uint32_t(o.Box.Height)}
		out.box = box
	}
}

// frame is the memory of one query, kept for the next: C's structs are large.
type frame struct {
	input   C.imgret_input
	options C.imgret_query_options
	answer  C.imgret_go_answer
	why     C.imgret_error
}

var (
	frames   = sync.Pool{New: func() any { return new(frame) }}
	defaults QueryOptions
)

// Query finds the images most alike to what, best first, equal scores by ascending ID.
func (db *DB) Query(ctx context.Context, what Input, options *QueryOptions) (*Results, error) {
	return db.query(ctx, &what, options)
}

// QueryTerms is Query for what its options alone say: Terms, Colors.
func (db *DB) QueryTerms(ctx context.Context, options *QueryOptions) (*Results, error) {
	return db.query(ctx, nil, options)
}

func (db *DB) query(ctx context.Context, what *Input, options *QueryOptions) (*Results, error) {
	if !db.enter() {
		return nil, ErrClosed
	}
	defer db.leave()
	if options == nil {
		options = &defaults
	}
	f := frames.Get().(*frame)
	defer frames.Put(f)
	var a arena
	defer a.free()
	options.inC(&f.options, &a)
	data, vector := noBytes, noFloats
	var input *C.imgret_input
	if what != nil {
		var err error
		if data, vector, err = what.read(&f.input); err != nil {
			return nil, err
		}
		input = &f.input
	}
	if a.err != nil {
		return nil, a.err
	}
	stop, over, err := watch(ctx)
	if err != nil {
		return nil, err
	}
	defer over()
	f.why.size, f.why.message[0] = C.uint32_t(unsafe.Sizeof(f.why)), 0
	var status C.int32_t
	call := func(user C.uintptr_t) {
		status = C.imgret_go_query(&f.answer, db.c, input, unsafe.Pointer(&data[0]),
			(*C.float)(unsafe.Pointer(&vector[0])), &f.options, user, stop, &f.why)
	}
	var calls *callbacks
	if options.Rerank == nil {
		call(0)
	} else {
		calls = &callbacks{rerank: options.Rerank}
		calls.with(call)
	}
	if status != 0 {
		return nil, failure(status, &f.why, ctx, calls)
	}
	results := resultsOf(&f.answer)
	C.imgret_results_free(f.answer.results)
	return results, nil
}

// QueryBatch answers many queries at once, far faster than one by one. The first one that fails is
// the failure of the call; its message begins with "input N: ". Rerank and Cursor do not go with it.
func (db *DB) QueryBatch(ctx context.Context, what []Input, options *QueryOptions) ([]*Results, error) {
	if !db.enter() {
		return nil, ErrClosed
	}
	defer db.leave()
	if options == nil {
		options = &defaults
	}
	if options.Rerank != nil {
		return nil, invalid("QueryOptions.Rerank does not go with a batch")
	}
	if len(what) == 0 {
		return nil, nil
	}
	var a arena
	defer a.free()
	var wanted C.imgret_query_options
	options.inC(&wanted, &a)
	inputs, err := a.inputs(what)
	if err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	outs := a.bytes(uintptr(len(what)) * unsafe.Sizeof((*C.imgret_results)(nil)))
	stop, over, err := watch(ctx)
	if err != nil {
		return nil, err
	}
	defer over()
	why := newError()
	status := C.imgret_go_query_batch((**C.imgret_results)(outs), db.c, inputs,
		C.uint64_t(len(what)), &wanted, stop, why)
	if status != 0 {
		return nil, failure(status, why, ctx, nil)
	}
	all := make([]*Results, len(what))
	var answer C.imgret_go_answer
	for i, results := range unsafe.Slice((**C.imgret_results)(outs), len(what)) {
		C.imgret_go_look(&answer, results)
		all[i] = resultsOf(&answer)
		C.imgret_results_free(results)
	}
	return all, nil
}

// inputs is an array of inputs in C memory; many small vectors share one block.
func (a *arena) inputs(what []Input) (*C.imgret_input, error) {
	size := unsafe.Sizeof(C.imgret_input{})
	floats := 0
	for i := range what {
		floats += len(what[i].vector)
	}
	rows := unsafe.Slice((*C.imgret_input)(a.bytes(uintptr(len(what))*size)), len(what))
	block := unsafe.Slice((*float32)(a.bytes(uintptr(floats)*4+4)), floats+1)
	for i := range what {
		if what[i].kind != C.IMGRET_INPUT_VECTOR {
			if err := a.input(&rows[i], &what[i]); err != nil {
				return nil, err
			}
			continue
		}
		if _, _, err := what[i].read(&rows[i]); err != nil {
			return nil, err
		}
		rows[i].vector = (*C.float)(unsafe.Pointer(&block[0]))
		block = block[copy(block, what[i].vector):]
	}
	return &rows[0], nil
}

// ParseColors reads colours as people write them: "red:2,#ffffff".
func ParseColors(text string) ([]ColorTerm, error) {
	var a arena
	defer a.free()
	var rows [16]C.imgret_color_term
	var count C.uint32_t
	c := a.string(text, "colours")
	if a.err != nil {
		return nil, a.err
	}
	why := newError()
	if status := C.imgret_parse_colors(&rows[0], 16, &count, c, why); status != 0 {
		return nil, failure(status, why, nil, nil)
	}
	colors := make([]ColorTerm, count)
	for i := range colors {
		colors[i] = ColorTerm{uint8(rows[i].red), uint8(rows[i].green), uint8(rows[i].blue),
			float64(rows[i].weight)}
	}
	return colors, nil
}
