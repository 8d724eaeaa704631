package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// DuplicateKind says how a picture is a duplicate of another.
type DuplicateKind uint32

// The kinds; zero is that of a group's first picture.
const (
	Identical DuplicateKind = C.IMGRET_DUPLICATE_IDENTICAL // the same bytes
	Near      DuplicateKind = C.IMGRET_DUPLICATE_NEAR      // the same picture: resized, encoded anew, cut a little
	Similar   DuplicateKind = C.IMGRET_DUPLICATE_SIMILAR   // alike by their vectors
)

// KeepReason says why a picture is the one to keep.
type KeepReason uint32

// The reasons.
const (
	KeepResolution KeepReason = C.IMGRET_KEEP_RESOLUTION // more pixels
	KeepColor      KeepReason = C.IMGRET_KEEP_COLOR      // the other is grey
	KeepFormat     KeepReason = C.IMGRET_KEEP_FORMAT     // stored without loss
	KeepBytes      KeepReason = C.IMGRET_KEEP_BYTES      // the larger file
	KeepDate       KeepReason = C.IMGRET_KEEP_DATE       // the older file
	KeepFirst      KeepReason = C.IMGRET_KEEP_FIRST      // they are equal: it was added first
)

// Duplicate is one picture of a group.
type Duplicate struct {
	ID        int64
	Kind      DuplicateKind // what it is of the group's first picture
	URI       string
	Format    string
	Width     int // pixels
	Height    int
	FileBytes uint64
	Modified  time.Time // zero when it was no file
	Score     float64   // cosine of its vector and the first's
	HashBits  int       // in which the perceptual hashes differ; -1: unknown
	Quarters  int       // that it is turned, 0 to 3
	Mirrored  bool      // after that
}

// DuplicateGroup is pictures that show the same; the first is the one to keep.
type DuplicateGroup struct {
	Kind       DuplicateKind // the greatest of the members'
	KeepReason KeepReason
	Members    []Duplicate
}

func groupOf(row *C.imgret_duplicate_group) DuplicateGroup {
	group := DuplicateGroup{DuplicateKind(row.kind), KeepReason(row.keep_reason), make([]Duplicate, row.count)}
	stride := uintptr(row.members.size)
	for i := range group.Members {
		from := (*C.imgret_duplicate)(unsafe.Add(unsafe.Pointer(row.members), uintptr(i)*stride))
		to := &group.Members[i]
		*to = Duplicate{
			ID:        int64(from.id),
			Kind:      DuplicateKind(from.kind),
			URI:       goString(from.uri),
			Format:    goString(from.format),
			Width:     int(from.width),
			Height:    int(from.height),
			FileBytes: uint64(from.file_bytes),
			Score:     float64(from.score),
			HashBits:  -1,
			Quarters:  int(from.turn & 3),
			Mirrored:  from.turn&C.IMGRET_TURN_MIRRORED != 0,
		}
		if from.hash_bits != C.IMGRET_HASH_UNKNOWN {
			to.HashBits = int(from.hash_bits)
		}
		if from.modified_ns != 0 {
			to.Modified = time.Unix(0, int64(from.modified_ns))
		}
	}
	return group
}

// DuplicatesOptions tell what to look for; the zero value, and nil, are the defaults.
type DuplicatesOptions struct {
	KindMax      DuplicateKind // up to which kind; default Near
	Turned       bool          // also pictures that are mirrored or turned by quarters
	SimilarScore float64       // the least of Similar ones; default what Calibrate found, else 0.95 under Cosine
	Filter       Filter
	OnGroup      func(DuplicateGroup) error // each group as it is found
}

// DuplicatesReport is what was compared and found; pictures to keep are not counted.
type DuplicatesReport struct {
	ImageCount     uint64
	GroupCount     uint64
	DuplicateCount uint64
	DuplicateBytes uint64 // of the files of Identical and Near ones
}

// Duplicates finds pictures that show the same. A large collection wants Optimize before.
func (db *DB) Duplicates(ctx context.Context, options *DuplicatesOptions) (DuplicatesReport, error) {
	if options == nil {
		options = &DuplicatesOptions{}
	}
	var a arena
	defer a.free()
	wanted := C.imgret_duplicates_options{
		kind_max:      C.uint32_t(options.KindMax),
		similar_score: C.double(options.SimilarScore),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.Turned {
		wanted.flags = C.IMGRET_DUPLICATES_TURNED
	}
	a.filter(&options.Filter, &wanted.where, &wanted.params, &wanted.param_count, &wanted.where_ms_max)
	if a.err != nil {
		return DuplicatesReport{}, a.err
	}
	var out C.imgret_duplicates_report
	calls := &callbacks{group: options.OnGroup}
	err := db.long(ctx, calls, func(user C.uintptr_t, stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_duplicates(db.c, &wanted, user, stop, &out, why)
	})
	return DuplicatesReport{uint64(out.image_count), uint64(out.group_count), uint64(out.duplicate_count),
		uint64(out.duplicate_bytes)}, err
}

// SetDifferent records that two images are no duplicates, in either order; false forgets it.
func (db *DB) SetDifferent(ctx context.Context, id, otherID int64, different bool) error {
	verdict := C.int32_t(C.IMGRET_VERDICT_NONE)
	if different {
		verdict = C.IMGRET_VERDICT_DIFFERENT
	}
	return db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_set_verdict(db.c, C.int64_t(id), C.int64_t(otherID), verdict, stop, why)
	})
}
