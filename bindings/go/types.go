package imgret

// #include "bridge.h"
import "C"

import (
	"encoding/hex"
	"math"
	"strings"
	"time"
	"unsafe"
)

// What calls give back: Go's own copies. What they mean is told in imgret.h under the same names.

// Box is a rectangle in pixels of an upright picture.
type Box struct{ X, Y, Width, Height int }

// Hit is one result of a query; a higher Score is more alike, its scale is the metric's.
type Hit struct {
	ID          int64
	Score       float64
	URI         string // "" when it has none
	Metadata    string // JSON, "" when it has none
	Width       int    // pixels; 0 for a ready vector
	Height      int
	Label       string
	LabelScore  float64
	Region      int // 0: the whole picture, else the ordinal of the object that was found
	Box         Box // where it is
	RegionScore float64
	RegionLabel string
}

// hitsOf copies hits that stand one behind another, as far apart as the library says.
func hitsOf(first *C.imgret_hit, count int) []Hit {
	if count == 0 {
		return nil
	}
	hits := make([]Hit, count)
	stride := uintptr(first.size)
	for i := range hits {
		row := (*C.imgret_hit)(unsafe.Add(unsafe.Pointer(first), uintptr(i)*stride))
		hits[i] = Hit{
			ID:          int64(row.id),
			Score:       float64(row.score),
			URI:         goString(row.uri),
			Metadata:    goString(row.metadata),
			Width:       int(row.width),
			Height:      int(row.height),
			Label:       goString(row.label),
			LabelScore:  float64(row.label_score),
			Region:      int(row.region),
			Box:         Box{int(row.box_x), int(row.box_y), int(row.box_width), int(row.box_height)},
			RegionScore: float64(row.region_score),
			RegionLabel: goString(row.region_label),
		}
	}
	return hits
}

// Results are the answer to a query, best first.
type Results struct {
	Hits   []Hit
	Stats  QueryStats
	Cursor string // what QueryOptions.Cursor wants for the results that follow; "": nothing can
}

func resultsOf(from *C.imgret_go_answer) *Results {
	return &Results{
		Hits:   hitsOf(from.first, int(from.count)),
		Stats:  queryStatsOf(from.stats),
		Cursor: goString(from.cursor),
	}
}

// QueryStats is what one query did.
type QueryStats struct {
	Partial        bool // stopped before its end: there may be better results
	Estimates      bool // scores of some results are estimates
	ElapsedUS      uint64
	WaitUS         uint64
	Reads          uint64
	ReadBytes      uint64
	CacheHits      uint64
	Hops           uint64
	SignDistances  uint64
	CodeDistances  uint64
	ExactDistances uint64
	Scanned        uint64
	Reranks        uint64
	Effort         int
	ExpectedRecall float64
}

func queryStatsOf(row *C.imgret_query_stats) QueryStats {
	return QueryStats{
		Partial:        row.flags&C.IMGRET_QUERY_PARTIAL != 0,
		Estimates:      row.flags&C.IMGRET_QUERY_HAS_ESTIMATES != 0,
		ElapsedUS:      uint64(row.elapsed_us),
		WaitUS:         uint64(row.wait_us),
		Reads:          uint64(row.reads),
		ReadBytes:      uint64(row.read_bytes),
		CacheHits:      uint64(row.cache_hits),
		Hops:           uint64(row.hops),
		SignDistances:  uint64(row.sign_distances),
		CodeDistances:  uint64(row.code_distances),
		ExactDistances: uint64(row.exact_distances),
		Scanned:        uint64(row.scanned),
		Reranks:        uint64(row.reranks),
		Effort:         int(row.effort),
		ExpectedRecall: float64(row.expected_recall),
	}
}

// Color is one of the names of colour that pictures are described with.
type Color uint32

// The names.
const (
	Black  Color = C.IMGRET_COLOR_BLACK
	Grey   Color = C.IMGRET_COLOR_GREY
	White  Color = C.IMGRET_COLOR_WHITE
	Red    Color = C.IMGRET_COLOR_RED
	Orange Color = C.IMGRET_COLOR_ORANGE
	Yellow Color = C.IMGRET_COLOR_YELLOW
	Green  Color = C.IMGRET_COLOR_GREEN
	Blue   Color = C.IMGRET_COLOR_BLUE
	Purple Color = C.IMGRET_COLOR_PURPLE
	Pink   Color = C.IMGRET_COLOR_PINK
	Brown  Color = C.IMGRET_COLOR_BROWN
)

// ColorCount is their number.
const ColorCount = C.IMGRET_COLOR_COUNT

func (c Color) String() string {
	return goString(C.imgret_color_name(C.uint32_t(c)))
}

// Swatch is a dominant colour of a picture, sRGB; Share is of its area, 0 to 1.
type Swatch struct {
	Red, Green, Blue uint8
	Color            Color
	Share            float64
}

// Attributes is what a picture looks like, and what its camera wrote: docs/attributes.md.
type Attributes struct {
	Orientation    int
	Brightness     float64
	Contrast       float64
	Saturation     float64
	Warmth         float64
	Sharpness      float64
	PerceptualHash uint64
	ColorShares    [ColorCount]float64 // of the area, by Color
	Swatches       []Swatch
	Latitude       float64 // NaN when there is none
	Longitude      float64 // NaN when there is none
	TakenAt        string  // "2024-05-31 18:04:59" in the camera's time
	CameraMake     string
	CameraModel    string
}

func attributesOf(row *C.imgret_attributes) *Attributes {
	if row == nil {
		return nil
	}
	out := &Attributes{
		Orientation:    int(row.orientation),
		Brightness:     float64(row.brightness),
		Contrast:       float64(row.contrast),
		Saturation:     float64(row.saturation),
		Warmth:         float64(row.warmth),
		Sharpness:      float64(row.sharpness),
		PerceptualHash: uint64(row.perceptual_hash),
		Latitude:       float64(row.latitude),
		Longitude:      float64(row.longitude),
		TakenAt:        goString(row.taken_at),
		CameraMake:     goString(row.camera_make),
		CameraModel:    goString(row.camera_model),
	}
	for i, share := range row.color_shares {
		out.ColorShares[i] = float64(share)
	}
	for _, each := range row.swatches[:row.swatch_count] {
		out.Swatches = append(out.Swatches, Swatch{uint8(each.red), uint8(each.green),
			uint8(each.blue), Color(each.color), float64(each.share)})
	}
	return out
}

// HasPlace reports whether the picture says where it was taken.
func (a *Attributes) HasPlace() bool {
	return !math.IsNaN(a.Latitude) && !math.IsNaN(a.Longitude)
}

// State says whether an image can be found.
type State int32

// The states; zero, where one is asked for, is both.
const (
	Stored State = C.IMGRET_STATE_STORED // can be found
	Failed State = C.IMGRET_STATE_FAILED // recorded with the reason why it cannot be read
)

// Record is one image as the catalogue has it.
type Record struct {
	ID          int64
	State       State
	URI         string
	Metadata    string // JSON, "" when it has none
	Format      string // "jpeg", "png", ...; "pixels", "vector"
	Failure     string // reason of a failure
	FailureCode Code
	Width       int // pixels, after orientation
	Height      int
	FileBytes   uint64
	Modified    time.Time // of the file; zero when it was none
	Added       time.Time // of the last store
	ContentHash string    // XXH3-128 of the encoded bytes, pixels or vector; hexadecimal
	Label       string
	LabelScore  float64
	Attributes  *Attributes // nil for a ready vector and a failure
}

func recordOf(row *C.imgret_record) Record {
	record := Record{
		ID:          int64(row.id),
		State:       State(row.state),
		URI:         goString(row.uri),
		Metadata:    goString(row.metadata),
		Format:      goString(row.format),
		Failure:     goString(row.failure),
		FailureCode: Code(row.failure_code),
		Width:       int(row.width),
		Height:      int(row.height),
		FileBytes:   uint64(row.file_bytes),
		Added:       time.UnixMilli(int64(row.added_ms)),
		ContentHash: hex.EncodeToString(C.GoBytes(unsafe.Pointer(&row.content_hash[0]), 16)),
		Label:       goString(row.label),
		LabelScore:  float64(row.label_score),
		Attributes:  attributesOf(row.attributes),
	}
	if row.modified_ns != 0 {
		record.Modified = time.Unix(0, int64(row.modified_ns))
	}
	return record
}

// Region is a region of an image: all of it (Ordinal 0), or an object, best score first.
type Region struct {
	Ordinal int
	X       int
	Y       int
	Width   int
	Height  int
	Score   float64
	Label   string
}

func regionOf(row *C.imgret_region) Region {
	return Region{
		Ordinal: int(row.ordinal),
		X:       int(row.x),
		Y:       int(row.y),
		Width:   int(row.width),
		Height:  int(row.height),
		Score:   float64(row.score),
		Label:   goString(row.label),
	}
}

// Outcome is what became of a picture.
type Outcome int32

// The outcomes.
const (
	OutcomeStored    Outcome = C.IMGRET_STORED    // new, can be found
	OutcomeReplaced  Outcome = C.IMGRET_REPLACED  // known with other content; same id, new vector
	OutcomeUnchanged Outcome = C.IMGRET_UNCHANGED // known with the same content
	OutcomeFailed    Outcome = C.IMGRET_FAILED    // cannot be read
	OutcomeKnownBad  Outcome = C.IMGRET_KNOWN_BAD // failed before and has not changed since
	OutcomeSkipped   Outcome = C.IMGRET_SKIPPED   // no picture, met in a folder
	OutcomeMoved     Outcome = C.IMGRET_MOVED     // known under a new name; same id, same vector
	OutcomeRemoved   Outcome = C.IMGRET_REMOVED   // its file is gone, and so is the image
)

func (o Outcome) String() string {
	names := [...]string{"", "stored", "replaced", "unchanged", "failed", "known bad", "skipped",
		"moved", "removed"}
	if o < 1 || int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// IngestItem is one file of an ingest, durable when it is told.
type IngestItem struct {
	Outcome Outcome
	ID      int64
	URI     string
	Code    Code // of a failure
	Width   int
	Height  int
	Format  string
	Message string
}

func itemOf(row *C.imgret_ingest_item) IngestItem {
	return IngestItem{
		Outcome: Outcome(row.outcome),
		ID:      int64(row.id),
		URI:     goString(row.uri),
		Code:    Code(row.code),
		Width:   int(row.width),
		Height:  int(row.height),
		Format:  goString(row.format),
		Message: goString(row.message),
	}
}

// IngestProgress counts the files of an ingest; FileCount is final once ListingDone.
type IngestProgress struct {
	ListingDone    bool
	FileCount      uint64
	DoneCount      uint64
	StoredCount    uint64
	ReplacedCount  uint64
	UnchangedCount uint64
	FailedCount    uint64
	KnownBadCount  uint64
	SkippedCount   uint64
	BytesRead      uint64
	ElapsedUS      uint64
	MovedCount     uint64 // with Sync, as the next; not part of DoneCount
	RemovedCount   uint64
}

func progressOf(row *C.imgret_ingest_progress) IngestProgress {
	return IngestProgress{
		ListingDone:    row.listing_done != 0,
		FileCount:      uint64(row.file_count),
		DoneCount:      uint64(row.done_count),
		StoredCount:    uint64(row.stored_count),
		ReplacedCount:  uint64(row.replaced_count),
		UnchangedCount: uint64(row.unchanged_count),
		FailedCount:    uint64(row.failed_count),
		KnownBadCount:  uint64(row.known_bad_count),
		SkippedCount:   uint64(row.skipped_count),
		BytesRead:      uint64(row.bytes_read),
		ElapsedUS:      uint64(row.elapsed_us),
		MovedCount:     uint64(row.moved_count),
		RemovedCount:   uint64(row.removed_count),
	}
}

// LabelItem is a picture that a label fits; the LabelBefore is what it has.
type LabelItem struct {
	ID          int64
	Confidence  float64 // 0..1
	URI         string
	LabelBefore string
}

func labelItemOf(row *C.imgret_label_item) LabelItem {
	return LabelItem{int64(row.id), float64(row.confidence), goString(row.uri), goString(row.label_before)}
}

// LabelReport is what LabelExamples did.
type LabelReport struct {
	ExampleCount  uint64 // of this label, stored ones included
	CounterCount  uint64 // what it was told from
	ExaminedCount uint64 // pictures looked at
	FittingCount  uint64 // of them, those that it fits
	AssignedCount uint64 // and those whose label was stored
}

func labelReportOf(row *C.imgret_label_report) LabelReport {
	return LabelReport{uint64(row.example_count), uint64(row.counter_count), uint64(row.examined_count),
		uint64(row.fitting_count), uint64(row.assigned_count)}
}

// RepairReport is what Repair did; lost images are now in state Failed.
type RepairReport struct {
	SegmentsRebuilt int
	VectorsKept     uint64
	ImagesExtracted uint64
	ImagesLost      uint64
}

func repairReportOf(row *C.imgret_repair_report) RepairReport {
	return RepairReport{
		SegmentsRebuilt: int(row.segments_rebuilt),
		VectorsKept:     uint64(row.vectors_kept),
		ImagesExtracted: uint64(row.images_extracted),
		ImagesLost:      uint64(row.images_lost),
	}
}

// SalvageReport is what Salvage did. Original names the damaged file in the database's folder.
type SalvageReport struct {
	Salvaged            bool   // false: nothing is wrong
	ImageCount          uint64 // with a vector, afterwards
	ImagesWithoutRecord uint64 // of these: metadata, label and attributes are lost
	ImagesLost          uint64 // whose vectors are lost
	Original            string
	Losses              []string
}

// ReembedReport is what Reembed did: pictures extracted by this call, and by one before it.
type ReembedReport struct {
	EmbeddedCount uint64
	ResumedCount  uint64
	MissingCount  uint64
}

func reembedReportOf(row *C.imgret_reembed_report) ReembedReport {
	return ReembedReport{
		EmbeddedCount: uint64(row.embedded_count),
		ResumedCount:  uint64(row.resumed_count),
		MissingCount:  uint64(row.missing_count),
	}
}

// Stats is what a database and this handle hold.
type Stats struct {
	Dimension          int
	Metric             Metric
	VectorType         VectorType
	ImageCount         uint64
	FailedCount        uint64
	VectorCount        uint64
	DeltaRAMBytes      uint64
	CatalogBytes       uint64
	QueryCount         uint64
	QueryUSTotal       uint64
	ScannedCount       uint64
	Model              string
	ModelIdentity      string
	Kernels            string
	DeltaVectorCount   uint64
	SegmentCount       uint64
	SegmentVectorCount uint64
	SegmentBytes       uint64
	SegmentRAMBytes    uint64
	DiskReadCount      uint64
	BatchCount         uint64
	BatchImageCount    uint64
	FeatureCacheHits   uint64
	FeatureCacheMisses uint64
	FeatureCacheBytes  uint64
	PartialCount       uint64
	DiskReadBytes      uint64
	DiskWaitUSTotal    uint64
	CacheHitCount      uint64
	HopCount           uint64
	SignDistanceCount  uint64
	CodeDistanceCount  uint64
	ExactDistanceCount uint64
	CodeRAMBytes       uint64
	GraphRAMBytes      uint64
	IDRAMBytes         uint64
	CheckRAMBytes      uint64
	OtherRAMBytes      uint64
	GraphDiskBytes     uint64
	IOKind             string
	IOReason           string
	Regions            string
}

func statsOf(row *C.imgret_stats) Stats {
	return Stats{
		Dimension:          int(row.dimension),
		Metric:             Metric(row.metric),
		VectorType:         VectorType(row.vector_type),
		ImageCount:         uint64(row.image_count),
		FailedCount:        uint64(row.failed_count),
		VectorCount:        uint64(row.vector_count),
		DeltaRAMBytes:      uint64(row.delta_ram_bytes),
		CatalogBytes:       uint64(row.catalog_bytes),
		QueryCount:         uint64(row.query_count),
		QueryUSTotal:       uint64(row.query_us_total),
		ScannedCount:       uint64(row.scanned_count),
		Model:              goString(row.model),
		ModelIdentity:      goString(row.model_identity),
		Kernels:            goString(row.kernels),
		DeltaVectorCount:   uint64(row.delta_vector_count),
		SegmentCount:       uint64(row.segment_count),
		SegmentVectorCount: uint64(row.segment_vector_count),
		SegmentBytes:       uint64(row.segment_bytes),
		SegmentRAMBytes:    uint64(row.segment_ram_bytes),
		DiskReadCount:      uint64(row.disk_read_count),
		BatchCount:         uint64(row.batch_count),
		BatchImageCount:    uint64(row.batch_image_count),
		FeatureCacheHits:   uint64(row.feature_cache_hits),
		FeatureCacheMisses: uint64(row.feature_cache_misses),
		FeatureCacheBytes:  uint64(row.feature_cache_bytes),
		PartialCount:       uint64(row.partial_count),
		DiskReadBytes:      uint64(row.disk_read_bytes),
		DiskWaitUSTotal:    uint64(row.disk_wait_us_total),
		CacheHitCount:      uint64(row.cache_hit_count),
		HopCount:           uint64(row.hop_count),
		SignDistanceCount:  uint64(row.sign_distance_count),
		CodeDistanceCount:  uint64(row.code_distance_count),
		ExactDistanceCount: uint64(row.exact_distance_count),
		CodeRAMBytes:       uint64(row.code_ram_bytes),
		GraphRAMBytes:      uint64(row.graph_ram_bytes),
		IDRAMBytes:         uint64(row.id_ram_bytes),
		CheckRAMBytes:      uint64(row.check_ram_bytes),
		OtherRAMBytes:      uint64(row.other_ram_bytes),
		GraphDiskBytes:     uint64(row.graph_disk_bytes),
		IOKind:             goString(row.io_kind),
		IOReason:           goString(row.io_reason),
		Regions:            goString(row.regions),
	}
}

// ExtractorInfo is what an extractor is; equal Identity means equal vectors.
type ExtractorInfo struct {
	Dimension    int
	InputWidth   int
	InputHeight  int
	BatchMax     int
	Backend      string
	Architecture string
	Identity     string
	Instances    int
	ClassCount   int
}

func infoOf(row *C.imgret_extractor_info) ExtractorInfo {
	return ExtractorInfo{
		Dimension:    int(row.dimension),
		InputWidth:   int(row.input_width),
		InputHeight:  int(row.input_height),
		BatchMax:     int(row.batch_max),
		Backend:      goString(row.backend),
		Architecture: goString(row.architecture),
		Identity:     goString(row.identity),
		Instances:    int(row.instances),
		ClassCount:   int(row.class_count),
	}
}

// ModelReport is what a file of weights is. Status is 0 when it can be loaded, else why not.
type ModelReport struct {
	Status         Code
	Reason         string
	Backend        string
	BackendVersion string
	Family         string
	Naming         string
	Architecture   string
	Identity       string
	Missing        []string
	LeftOver       []string
	Misshapen      []string
	ClassNames     []string
	Notes          []string
	ParameterCount uint64
	TensorBytes    uint64
	TensorCount    int
	MissingCount   int
	LeftOverCount  int
	MisshapenCount int
	Dimension      int
	ClassCount     int
	InputWidth     int
	InputHeight    int
	AnchorCount    int
	BoxClassCount  int
}

func modelReportOf(row *C.imgret_model_report) ModelReport {
	return ModelReport{
		Status:         Code(row.status),
		Reason:         goString(row.reason),
		Backend:        goString(row.backend),
		BackendVersion: goString(row.backend_version),
		Family:         goString(row.family),
		Naming:         goString(row.naming),
		Architecture:   goString(row.architecture),
		Identity:       goString(row.identity),
		Missing:        linesOf(row.missing),
		LeftOver:       linesOf(row.left_over),
		Misshapen:      linesOf(row.misshapen),
		ClassNames:     linesOf(row.class_names),
		Notes:          linesOf(row.notes),
		ParameterCount: uint64(row.parameter_count),
		TensorBytes:    uint64(row.tensor_bytes),
		TensorCount:    int(row.tensor_count),
		MissingCount:   int(row.missing_count),
		LeftOverCount:  int(row.left_over_count),
		MisshapenCount: int(row.misshapen_count),
		Dimension:      int(row.dimension),
		ClassCount:     int(row.class_count),
		InputWidth:     int(row.input_width),
		InputHeight:    int(row.input_height),
		AnchorCount:    int(row.anchor_count),
		BoxClassCount:  int(row.box_class_count),
	}
}

func linesOf(text *C.char) []string {
	return strings.FieldsFunc(goString(text), func(r rune) bool { return r == '\n' })
}
