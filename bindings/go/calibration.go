package imgret

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// CalibrateOptions tell how to calibrate; the zero value, and nil, are the defaults.
type CalibrateOptions struct {
	SampleCount int  // pictures that are looked at; default 1,000
	CopyMax     int  // of them, those whose files are read and altered; default 64
	NoCopies    bool // do not read picture files
}

// Calibration is what scores mean in a collection under its model, and what that was measured from.
type Calibration struct {
	SameScore     float64 // LikenessSame: this or more
	NearScore     float64
	SimilarScore  float64
	RandomMedian  float64 // of the scores of pictures drawn at random
	RandomHigh    float64 // that one random pair in a hundred reaches
	NearestMedian float64 // of the scores of pictures and the one nearest to each
	ImageCount    uint64
	PairCount     uint64
	CopyCount     int
	HashPairCount int
}

func calibrationOf(row *C.imgret_calibration) Calibration {
	return Calibration{
		SameScore:     float64(row.same_score),
		NearScore:     float64(row.near_score),
		SimilarScore:  float64(row.similar_score),
		RandomMedian:  float64(row.random_median),
		RandomHigh:    float64(row.random_high),
		NearestMedian: float64(row.nearest_median),
		ImageCount:    uint64(row.image_count),
		PairCount:     uint64(row.pair_count),
		CopyCount:     int(row.copy_count),
		HashPairCount: int(row.hash_pair_count),
	}
}

// Calibrate measures what scores mean, and stores it for QueryOptions.MinLikeness and Duplicates.
func (db *DB) Calibrate(ctx context.Context, options *CalibrateOptions) (Calibration, error) {
	if options == nil {
		options = &CalibrateOptions{}
	}
	if options.SampleCount < 0 || options.CopyMax < 0 {
		return Calibration{}, invalid("a negative number in CalibrateOptions")
	}
	wanted := C.imgret_calibrate_options{
		sample_count: C.uint32_t(options.SampleCount),
		copy_max:     C.uint32_t(options.CopyMax),
	}
	wanted.size = C.uint32_t(unsafe.Sizeof(wanted))
	if options.NoCopies {
		wanted.flags = C.IMGRET_CALIBRATE_NO_COPIES
	}
	var out C.imgret_calibration
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_calibrate(db.c, &wanted, stop, &out, why)
	})
	return calibrationOf(&out), err
}

// Calibration is what Calibrate stored; NotFound when it never did, or under another model.
func (db *DB) Calibration(ctx context.Context) (Calibration, error) {
	var out C.imgret_calibration
	err := db.short(ctx, func(stop *C.uint32_t, why *C.imgret_error) C.int32_t {
		return C.imgret_go_get_calibration(db.c, stop, &out, why)
	})
	return calibrationOf(&out), err
}
