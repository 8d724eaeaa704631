package imgret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code Code) {
	t.Helper()
	var detail *Error
	if !errors.Is(err, code) || !errors.As(err, &detail) || detail.Code != code {
		t.Fatalf("got %v, want %s", err, code.Name())
	}
}

func open(t testing.TB, name string, options *Options) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), name), options)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// vectors is a database of (i, 1, 0, 0) with the URI "v<i>" and the metadata {"i": i}.
func vectors(t testing.TB, count int) *DB {
	db := open(t, "vectors.imgret", &Options{Model: "vectors:4", VectorType: F32})
	must(t, db.Update(ctx, func(tx *Tx) error {
		for i := 0; i < count; i++ {
			_, err := tx.Add(ctx, Vector([]float32{float32(i), 1, 0, 0}), &AddOptions{
				URI: fmt.Sprint("v", i), Metadata: fmt.Sprintf(`{"i": %d}`, i)})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return db
}

func drawn(number, width, height int) *image.NRGBA {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := 0; y < height; y++ {
		for x := 0; x < width; x++ {
			picture.Set(x, y, color.NRGBA{uint8(x * (number + 3)), uint8(y*(number*7+1) + 40*number),
				uint8(x*y + 90*number), 255})
		}
	}
	return picture
}

func encoded(t testing.TB, picture image.Image) []byte {
	var out bytes.Buffer
	must(t, png.Encode(&out, picture))
	return out.Bytes()
}

func pictures(t testing.TB, count int) string {
	folder := t.TempDir()
	for i := 0; i < count; i++ {
		path := filepath.Join(folder, fmt.Sprintf("%03d.png", i))
		must(t, os.WriteFile(path, encoded(t, drawn(i, 48, 32)), 0o644))
	}
	return folder
}

func uris(results *Results) string {
	var all []string
	for _, hit := range results.Hits {
		all = append(all, hit.URI)
	}
	return strings.Join(all, " ")
}

func TestLife(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.imgret")
	_, err := Open(path, &Options{Existing: true})
	wantCode(t, err, NotFound)
	if errors.Is(err, Corrupt) || !strings.Contains(err.Error(), "a.imgret") {
		t.Fatal(err)
	}
	db, err := Open(path, &Options{New: true, Model: "vectors:2", Metric: L2, VectorType: F32})
	must(t, err)
	if db.Dimension() != 2 || db.Path() != path {
		t.Fatal(db.Dimension(), db.Path())
	}
	must(t, db.Close())
	must(t, db.Close())
	_, err = db.Query(ctx, ID(1), nil)
	if !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	_, err = Open(path, &Options{New: true})
	wantCode(t, err, Exists)
	_, err = Open(path, &Options{Model: "classic"})
	wantCode(t, err, Mismatch)
	_, err = Open(path, &Options{Regions: "grid=0x9"})
	if err == nil {
		t.Fatal("regions of another identity")
	}
	_, err = Open("a\x00b", nil)
	wantCode(t, err, InvalidArgument)
	db, err = Open(path, &Options{ReadOnly: true, BusyTimeout: Never, NoFeatureCache: true})
	must(t, err)
	defer db.Close()
	stats, err := db.Stats()
	must(t, err)
	if stats.Metric != L2 || stats.VectorType != F32 || stats.Model != "vectors:2" {
		t.Fatalf("%+v", stats)
	}
	_, err = db.Add(ctx, Vector([]float32{1, 2}), nil)
	wantCode(t, err, ReadOnly)
	if n := VersionNumber(); Version() != fmt.Sprintf("%d.%d.%d", n/1000000, n/1000%1000, n%1000) {
		t.Fatal(Version(), n)
	}
	if Version() == "" || NotFound.Name() != "IMGRET_NOT_FOUND" {
		t.Fatal(Version())
	}
}

func TestVectors(t *testing.T) {
	db := vectors(t, 20)
	results, err := db.Query(ctx, Vector([]float32{3, 1, 0, 0}), &QueryOptions{K: 3})
	must(t, err)
	best := results.Hits[0]
	if len(results.Hits) != 3 || best.URI != "v3" || math.Abs(best.Score-1) > 1e-6 || best.Metadata != `{"i": 3}` {
		t.Fatalf("%+v", results.Hits)
	}
	if results.Stats.ExactDistances != 20 || results.Stats.Partial || results.Cursor == "" {
		t.Fatalf("%+v", results.Stats)
	}
	results, err = db.Query(ctx, ID(best.ID), nil)
	must(t, err)
	if len(results.Hits) != 10 || results.Hits[0].ID == best.ID {
		t.Fatalf("%+v", results.Hits)
	}
	low := 0.999
	results, err = db.Query(ctx, ID(best.ID), &QueryOptions{MinScore: &low, IncludeSelf: true, K: 50})
	must(t, err)
	if len(results.Hits) == 20 || results.Hits[0].ID != best.ID {
		t.Fatalf("%+v", results.Hits)
	}
	got, err := db.Vector(ctx, best.ID)
	must(t, err)
	if fmt.Sprint(got) != "[3 1 0 0]" {
		t.Fatal(got)
	}
	for _, wrong := range []Input{{}, Vector(nil), Vector([]float32{1}), Vector([]float32{float32(math.NaN()), 0, 0, 0}),
		File("a\x00"), Pixels(nil, -1, 1, 0, RGB8), Bytes(nil)} {
		if _, err = db.Query(ctx, wrong, nil); err == nil {
			t.Fatalf("%+v", wrong)
		}
	}
	_, err = db.Query(ctx, ID(4711), nil)
	wantCode(t, err, NotFound)
	_, err = db.Query(ctx, ID(1), &QueryOptions{K: -1})
	wantCode(t, err, InvalidArgument)
}

func TestPictures(t *testing.T) {
	db := open(t, "photos.imgret", nil)
	picture := drawn(3, 40, 30)
	file := encoded(t, picture)
	added, err := db.Add(ctx, Reader(bytes.NewReader(file)), &AddOptions{URI: "a", Metadata: `{"x": "ü"}`})
	must(t, err)
	if added.Outcome != OutcomeStored || added.Outcome.String() != "stored" {
		t.Fatal(added)
	}
	again, err := db.Add(ctx, Bytes(file), &AddOptions{URI: "a"})
	must(t, err)
	if again.ID != added.ID || again.Outcome != OutcomeUnchanged {
		t.Fatal(again)
	}
	path := filepath.Join(t.TempDir(), "grün.png")
	must(t, os.WriteFile(path, file, 0o644))
	opaque := image.NewRGBA(picture.Rect)
	grey := image.NewGray(picture.Rect)
	for y := 0; y < 30; y++ {
		for x := 0; x < 40; x++ {
			opaque.Set(x, y, picture.At(x, y))
			grey.Set(x, y, picture.At(x, y))
		}
	}
	cut := drawn(3, 40, 30).SubImage(image.Rect(5, 5, 35, 25))
	for i, input := range []Input{File(path), Bytes(file), Reader(bytes.NewReader(file)), Image(picture),
		Image(opaque), ID(added.ID), Pixels(picture.Pix, 40, 30, 160, RGBA8), Image(grey), Image(cut)} {
		results, err := db.Query(ctx, input, &QueryOptions{IncludeSelf: true})
		must(t, err)
		if len(results.Hits) != 1 || (i < 7 && results.Hits[0].Score < 0.99) {
			t.Fatalf("input %d: %+v", i, results.Hits)
		}
	}
	record, err := db.Get(ctx, added.ID)
	must(t, err)
	if record.Width != 40 || record.Format != "png" || record.Metadata != `{"x": "ü"}` || record.State != Stored ||
		len(record.ContentHash) != 32 || time.Since(record.Added) > time.Hour || !record.Modified.IsZero() {
		t.Fatalf("%+v", record)
	}
	sum := 0.0
	for _, share := range record.Attributes.ColorShares {
		sum += share
	}
	if math.Abs(sum-1) > 1e-3 || len(record.Attributes.Swatches) == 0 || record.Attributes.HasPlace() {
		t.Fatalf("%+v", record.Attributes)
	}
	_, err = db.Add(ctx, Bytes([]byte("no picture")), nil)
	wantCode(t, err, BadImage)
	broken := errors.New("broken")
	_, err = db.Add(ctx, Reader(badReader{broken}), nil)
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

type badReader struct{ err error }

func (r badReader) Read([]byte) (int, error) { return 0, r.err }

func TestFiltersAndPages(t *testing.T) {
	db := vectors(t, 23)
	filter := Filter{Where: "meta->>'i' >= :low AND meta->>'i' < :high",
		Params: Params{"low": 5, "high": 9.5}}
	results, err := db.Query(ctx, Vector([]float32{0, 1, 0, 0}), &QueryOptions{Filter: filter})
	must(t, err)
	if uris(results) != "v5 v6 v7 v8 v9" {
		t.Fatal(uris(results))
	}
	count, err := db.Count(ctx, Stored, filter)
	must(t, err)
	records, err := db.List(ctx, &ListOptions{Filter: Filter{Where: "uri = :u", Params: Params{"u": "v4"}}})
	must(t, err)
	if count != 5 || len(records) != 1 || records[0].URI != "v4" {
		t.Fatal(count, records)
	}
	for _, params := range []Params{{"other": 1}, {"u": struct{}{}}, {"u": uint64(1 << 63)}, {"u": "a\x00"}, nil} {
		_, err = db.Count(ctx, 0, Filter{Where: "uri = :u", Params: params})
		wantCode(t, err, InvalidArgument)
	}
	for _, value := range []any{nil, true, int8(1), int16(1), int32(1), int64(1), uint8(1), uint16(1), uint32(1), uint(1),
		uint64(1), float32(1), "x"} {
		_, err = db.Count(ctx, 0, Filter{Where: "uri = :u", Params: Params{"u": value}})
		must(t, err)
	}
	seen := 0
	options := &QueryOptions{K: 5, ExcludeIDs: []int64{2, 1, 999}}
	for {
		page, err := db.Query(ctx, Vector([]float32{0, 1, 0, 0}), options)
		must(t, err)
		seen += len(page.Hits)
		if options.Cursor = page.Cursor; options.Cursor == "" {
			break
		}
	}
	all := db.Records(ctx, &ListOptions{Limit: 4})
	listed := 0
	for all.Next() {
		if all.Record().ID == 0 {
			t.Fatal(all.Record())
		}
		listed++
	}
	must(t, all.Err())
	if seen != 21 || listed != 23 || all.Next() {
		t.Fatal(seen, listed)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	none := db.Records(gone, nil)
	if none.Next() || !errors.Is(none.Err(), context.Canceled) || !errors.Is(none.Err(), Interrupted) {
		t.Fatal(none.Err())
	}
}

func TestExamplesColorsRerank(t *testing.T) {
	db := vectors(t, 12)
	results, err := db.QueryTerms(ctx, &QueryOptions{K: 1, Terms: []Term{
		{Input: Vector([]float32{9, 0, 0, 0}), Weight: 1}, {Input: ID(1), Weight: -0.1}}})
	must(t, err)
	if uris(results) != "v11" {
		t.Fatal(uris(results))
	}
	results, err = db.Query(ctx, Vector([]float32{0, 1, 0, 0}), &QueryOptions{K: 2, Combine: Best,
		Terms: []Term{{Input: Vector([]float32{9, 1, 0, 0})}}})
	must(t, err)
	if got := uris(results); got != "v0 v9" && got != "v9 v0" {
		t.Fatal(got)
	}
	results, err = db.Query(ctx, ID(1), &QueryOptions{K: 3, Rerank: func(hits []Hit, scores []float64) error {
		for i, hit := range hits {
			scores[i] = float64(hit.ID)
		}
		return nil
	}})
	must(t, err)
	if uris(results) != "v11 v10 v9" || results.Hits[0].Score != 12 {
		t.Fatal(uris(results))
	}
	mine := errors.New("mine")
	_, err = db.Query(ctx, ID(1), &QueryOptions{Rerank: func([]Hit, []float64) error { return mine }})
	if !errors.Is(err, mine) || !errors.Is(err, Interrupted) {
		t.Fatal(err)
	}
	_, err = db.QueryTerms(ctx, &QueryOptions{Terms: []Term{{}}})
	wantCode(t, err, InvalidArgument)

	photos := open(t, "photos.imgret", nil)
	for name, c := range map[string]color.NRGBA{"red": {200, 20, 20, 255}, "blue": {20, 20, 200, 255}} {
		plain := image.NewNRGBA(image.Rect(0, 0, 32, 32))
		for i := 0; i < 32*32; i++ {
			plain.SetNRGBA(i%32, i/32, c)
		}
		_, err = photos.Add(ctx, Image(plain), &AddOptions{URI: name})
		must(t, err)
	}
	colors, err := ParseColors("red:2,#c81414")
	must(t, err)
	if len(colors) != 2 || colors[0].Weight != 2 || colors[1].Red != 200 {
		t.Fatal(colors)
	}
	results, err = photos.QueryTerms(ctx, &QueryOptions{Colors: colors[1:]})
	must(t, err)
	if results.Hits[0].URI != "red" || Red.String() != "red" || Color(99).String() != "" {
		t.Fatal(uris(results))
	}
	_, err = ParseColors("plaid")
	wantCode(t, err, InvalidArgument)
}

func TestRegions(t *testing.T) {
	db := open(t, "photos.imgret", &Options{Regions: "grid=2x1"})
	both := image.NewNRGBA(image.Rect(0, 0, 80, 40))
	left, right := drawn(1, 40, 40), drawn(9, 40, 40)
	for y := 0; y < 40; y++ {
		for x := 0; x < 40; x++ {
			both.Set(x, y, left.At(x, y))
			both.Set(x+40, y, right.At(x, y))
		}
	}
	added, err := db.Add(ctx, Image(both), &AddOptions{URI: "both"})
	must(t, err)
	regions, err := db.Regions(ctx, added.ID)
	must(t, err)
	if len(regions) != 3 || regions[2].X != 40 || regions[2].Width != 40 {
		t.Fatalf("%+v", regions)
	}
	for _, ask := range []func() (*Results, error){
		func() (*Results, error) {
			return db.Query(ctx, Image(right), &QueryOptions{Search: Objects, Group: true})
		},
		func() (*Results, error) {
			return db.Query(ctx, Image(both), &QueryOptions{Search: Objects, Group: true, Box: &Box{40, 0, 40, 40}})
		},
		func() (*Results, error) {
			return db.Query(ctx, ID(added.ID), &QueryOptions{Search: Objects, Group: true, Region: 2, IncludeSelf: true})
		},
	} {
		results, err := ask()
		must(t, err)
		if hit := results.Hits[0]; len(results.Hits) != 1 || hit.Region != 2 || hit.Box != (Box{40, 0, 40, 40}) {
			t.Fatalf("%+v", results.Hits)
		}
	}
	_, err = db.Regions(ctx, 99)
	wantCode(t, err, NotFound)
}

func TestBatch(t *testing.T) {
	db := vectors(t, 50)
	var what []Input
	for i := 0; i < 40; i++ {
		what = append(what, Vector([]float32{float32(i) / 2, 1, 0, 0}))
	}
	what = append(what, ID(7))
	all, err := db.QueryBatch(ctx, what, &QueryOptions{K: 4})
	must(t, err)
	for i := range what {
		one, err := db.Query(ctx, what[i], &QueryOptions{K: 4})
		must(t, err)
		if fmt.Sprint(one.Hits) != fmt.Sprint(all[i].Hits) {
			t.Fatal(i, one.Hits, all[i].Hits)
		}
	}
	_, err = db.QueryBatch(ctx, []Input{what[0], Vector([]float32{1})}, nil)
	wantCode(t, err, InvalidArgument)
	if !strings.Contains(err.Error(), "input 1: ") {
		t.Fatal(err)
	}
	none, err := db.QueryBatch(ctx, nil, nil)
	if err != nil || none != nil {
		t.Fatal(none, err)
	}
	_, err = db.QueryBatch(ctx, what, &QueryOptions{Rerank: func([]Hit, []float64) error { return nil }})
	wantCode(t, err, InvalidArgument)
	photos := open(t, "photos.imgret", nil)
	file := encoded(t, drawn(1, 30, 30))
	_, err = photos.Add(ctx, Bytes(file), nil)
	must(t, err)
	all, err = photos.QueryBatch(ctx, []Input{Bytes(file), Image(drawn(1, 30, 30))}, nil)
	must(t, err)
	if len(all) != 2 || all[1].Hits[0].Score < 0.99 {
		t.Fatal(all)
	}
}

func TestChanges(t *testing.T) {
	db := vectors(t, 3)
	must(t, db.SetLabel(ctx, 2, "Käse", 0.75))
	must(t, db.SetMetadata(ctx, 2, `{"a": 1}`))
	record, err := db.Get(ctx, 2)
	must(t, err)
	if record.Label != "Käse" || record.LabelScore != 0.75 || record.Metadata != `{"a": 1}` {
		t.Fatalf("%+v", record)
	}
	must(t, db.SetLabel(ctx, 2, "", 0))
	must(t, db.SetMetadata(ctx, 2, ""))
	wantCode(t, db.SetMetadata(ctx, 2, "[1]"), InvalidArgument)
	wantCode(t, db.SetLabel(ctx, 2, "x", 3), InvalidArgument)
	must(t, db.Remove(ctx, 2))
	wantCode(t, db.Remove(ctx, 2), NotFound)
	_, err = db.Get(ctx, 2)
	wantCode(t, err, NotFound)
}

func TestIndexes(t *testing.T) {
	db := vectors(t, 8)
	must(t, db.SetMetadata(ctx, 2, `{"camera": "X100"}`))
	must(t, db.CreateIndex(ctx, "metadata ->> 'camera'"))
	must(t, db.CreateIndex(ctx, "width"))
	wantCode(t, db.CreateIndex(ctx, "width"), Exists)
	wantCode(t, db.CreateIndex(ctx, "random()"), InvalidArgument)
	list, err := db.Indexes(ctx)
	must(t, err)
	if len(list) != 2 || list[0] != "meta->>'camera'" || list[1] != "width" {
		t.Fatal(list)
	}
	count, err := db.Count(ctx, 0, Filter{Where: "meta->>'camera' = 'X100'"})
	must(t, err)
	if count != 1 {
		t.Fatal(count)
	}
	must(t, db.DropIndex(ctx, "width"))
	wantCode(t, db.DropIndex(ctx, "width"), NotFound)
}

func TestLabelsFromExamples(t *testing.T) {
	db := open(t, "sides.imgret", &Options{Model: "vectors:4"})
	for i := 0; i < 60; i++ {
		side := []float32{10, 0.1 * float32(i), 1, 0}
		if i%2 == 0 {
			side = []float32{0.1 * float32(i), 10, 0, 1}
		}
		_, err := db.Add(ctx, Vector(side), &AddOptions{URI: fmt.Sprint(i)})
		must(t, err)
	}
	told := 0
	report, err := db.LabelExamples(ctx, "odd", []Input{ID(2), Vector([]float32{10, 1, 1, 0})}, &LabelOptions{
		Assign: true, OnItem: func(item LabelItem) error {
			if item.ID%2 != 0 {
				t.Errorf("%+v", item)
			}
			told++
			return nil
		}})
	must(t, err)
	record, err := db.Get(ctx, 2)
	must(t, err)
	if told == 0 || report.FittingCount != uint64(told) || report.AssignedCount == 0 || record.Label != "odd" {
		t.Fatalf("%+v, %d", report, told)
	}
	_, err = db.LabelExamples(ctx, "odd", nil, nil)
	wantCode(t, err, InvalidArgument)
	results, err := db.Query(ctx, ID(1), &QueryOptions{Estimated: true, IDsOnly: true})
	must(t, err)
	if results.Stats.Estimates { // nothing is in a segment
		t.Fatalf("%+v", results.Stats)
	}
	if hit := results.Hits[0]; hit.ID == 0 || hit.Label != "" { // all have labels by now
		t.Fatalf("%+v", hit)
	}
}

func TestCalibrate(t *testing.T) {
	db := vectors(t, 30)
	if _, err := db.Calibration(ctx); !errors.Is(err, NotFound) {
		t.Fatal(err)
	}
	found, err := db.Calibrate(ctx, &CalibrateOptions{NoCopies: true})
	must(t, err)
	if found.SameScore < found.NearScore || found.NearScore < found.SimilarScore || found.ImageCount != 30 {
		t.Fatalf("%+v", found)
	}
	again, err := db.Calibration(ctx)
	must(t, err)
	if again != found {
		t.Fatalf("%+v %+v", found, again)
	}
	what := Vector([]float32{0, 1, 0, 0})
	near, err := db.Query(ctx, what, &QueryOptions{K: 30, MinLikeness: LikenessNear})
	must(t, err)
	same, err := db.Query(ctx, what, &QueryOptions{K: 30, MinScore: &found.NearScore})
	must(t, err)
	if len(near.Hits) != len(same.Hits) {
		t.Fatal(len(near.Hits), len(same.Hits))
	}
	if _, err = db.Query(ctx, what, &QueryOptions{RerankBy: RerankColor}); !errors.Is(err, InvalidArgument) {
		t.Fatal(err)
	}
}

func TestDuplicates(t *testing.T) {
	db := open(t, "photos.imgret", nil)
	for i, uri := range []string{"0", "1", "2", "again"} {
		_, err := db.Add(ctx, Bytes(encoded(t, drawn(i%3+i/3, 160, 120))), &AddOptions{URI: uri})
		must(t, err)
	}
	var groups []DuplicateGroup
	report, err := db.Duplicates(ctx, &DuplicatesOptions{OnGroup: func(group DuplicateGroup) error {
		groups = append(groups, group)
		return nil
	}})
	must(t, err)
	if report.ImageCount != 4 || len(groups) != 1 || report.DuplicateCount != 1 {
		t.Fatalf("%+v %+v", report, groups)
	}
	group := groups[0]
	if group.Kind != Identical || group.KeepReason != KeepFirst || group.Members[0].URI != "1" ||
		group.Members[1].URI != "again" || group.Members[1].Kind != Identical || group.Members[1].HashBits > 0 {
		t.Fatalf("%+v", group)
	}
	must(t, db.Update(ctx, func(tx *Tx) error {
		return tx.SetDifferent(ctx, group.Members[1].ID, group.Members[0].ID, true)
	}))
	report, err = db.Duplicates(ctx, &DuplicatesOptions{Turned: true})
	must(t, err)
	if report.GroupCount != 0 {
		t.Fatalf("%+v", report)
	}
	must(t, db.SetDifferent(ctx, group.Members[0].ID, group.Members[1].ID, false))
	mine := errors.New("mine")
	_, err = db.Duplicates(ctx, &DuplicatesOptions{OnGroup: func(DuplicateGroup) error { return mine }})
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
}

func TestTransactions(t *testing.T) {
	db := vectors(t, 1)
	tx, err := db.Begin(ctx)
	must(t, err)
	var group sync.WaitGroup
	for i := 0; i < 8; i++ { // any goroutine may work on it
		group.Add(1)
		go func(i int) {
			defer group.Done()
			_, err := tx.Add(ctx, Vector([]float32{float32(i), 2, 0, 0}), nil)
			if err != nil {
				t.Error(err)
			}
		}(i)
	}
	group.Wait()
	must(t, tx.SetMetadata(ctx, 1, `{"in": "tx"}`))
	must(t, tx.SetLabel(ctx, 1, "l", 1))
	count, err := db.Count(ctx, 0, Filter{})
	must(t, err)
	if count != 1 {
		t.Fatal(count)
	}
	must(t, tx.Commit())
	for _, err := range []error{tx.Commit(), tx.Rollback(), tx.Remove(ctx, 1)} {
		if !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
	mine := errors.New("mine")
	err = db.Update(ctx, func(tx *Tx) error {
		must(t, tx.Remove(ctx, 1))
		return mine
	})
	if err != mine {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() != "oh" {
				t.Error("no panic")
			}
		}()
		db.Update(ctx, func(tx *Tx) error {
			must(t, tx.Remove(ctx, 1))
			panic("oh")
		})
	}()
	count, err = db.Count(ctx, 0, Filter{})
	must(t, err)
	if count != 9 {
		t.Fatal(count)
	}
}

func TestAContextStopsItsCallAlone(t *testing.T) {
	db := vectors(t, 1)
	tx, err := db.Begin(ctx)
	must(t, err)
	patient := make(chan error)
	go func() {
		_, err := db.Add(ctx, Vector([]float32{1, 1, 1, 1}), nil)
		patient <- err
	}()
	stopped, cancel := context.WithCancel(ctx)
	hasty := make(chan error)
	go func() {
		_, err := db.Add(stopped, Vector([]float32{2, 1, 1, 1}), nil)
		hasty <- err
	}()
	time.Sleep(20 * time.Millisecond) // either way the result is the same
	cancel()
	err = <-hasty
	if !errors.Is(err, context.Canceled) || !errors.Is(err, Interrupted) {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err = db.Begin(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	select {
	case err := <-patient:
		t.Fatal("the other call ended, too: ", err)
	default:
	}
	must(t, tx.Rollback())
	must(t, <-patient)
}

func TestIngest(t *testing.T) {
	folder := pictures(t, 12)
	must(t, os.WriteFile(filepath.Join(folder, "bad.png"), encoded(t, drawn(1, 9, 9))[:60], 0o644))
	db := open(t, "photos.imgret", nil)
	var items []IngestItem
	told := 0
	counts, err := db.Ingest(ctx, []string{folder}, &IngestOptions{
		OnItem: func(item IngestItem) error {
			items = append(items, item)
			return nil
		},
		OnProgress: func(progress IngestProgress) error {
			_, err := db.Stats() // callbacks may call back
			told++
			return err
		},
	})
	must(t, err)
	if counts.StoredCount != 12 || counts.FailedCount != 1 || !counts.ListingDone || len(items) != 13 || told == 0 {
		t.Fatalf("%+v", counts)
	}
	if last := items[12]; last.Outcome != OutcomeFailed || last.Code != BadImage || last.Message == "" {
		t.Fatalf("%+v", last)
	}
	must(t, os.Rename(filepath.Join(folder, "003.png"), filepath.Join(folder, "new.png")))
	must(t, os.Remove(filepath.Join(folder, "004.png")))
	counts, err = db.Ingest(ctx, []string{folder}, &IngestOptions{Sync: true})
	must(t, err)
	if counts.MovedCount != 1 || counts.RemovedCount != 1 || OutcomeRemoved.String() != "removed" {
		t.Fatalf("%+v", counts)
	}
	must(t, os.Rename(filepath.Join(folder, "new.png"), filepath.Join(folder, "003.png")))
	must(t, os.WriteFile(filepath.Join(folder, "004.png"), encoded(t, drawn(4, 48, 32)), 0o644))
	mine := errors.New("mine")
	other := open(t, "other.imgret", nil)
	_, err = other.Ingest(ctx, []string{folder}, &IngestOptions{CommitCount: 1,
		OnItem: func(IngestItem) error { return mine }})
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() != "oh" {
				t.Error("no panic")
			}
		}()
		other.Ingest(ctx, []string{folder}, &IngestOptions{OnItem: func(IngestItem) error { panic("oh") }})
	}()
	soon, cancel := context.WithCancel(ctx)
	_, err = other.Ingest(soon, []string{folder}, &IngestOptions{CommitCount: 1, RetryFailed: true,
		OnItem: func(IngestItem) error { cancel(); return nil }})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	counts, err = other.Ingest(ctx, []string{folder}, nil)
	must(t, err)
	if counts.DoneCount != 13 {
		t.Fatalf("%+v", counts)
	}
	_, err = db.Ingest(ctx, []string{filepath.Join(folder, "nowhere")}, nil)
	wantCode(t, err, NotFound)
}

func TestUpkeep(t *testing.T) {
	db := vectors(t, 300)
	folder := t.TempDir()
	mine := errors.New("mine")
	err := db.Optimize(ctx, &OptimizeOptions{Force: true, OnProgress: func(float64) error { return mine }})
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err = db.Optimize(gone, &OptimizeOptions{Force: true}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	last := 0.0
	must(t, db.Optimize(ctx, &OptimizeOptions{Force: true, OnProgress: func(done float64) error {
		last = done
		return nil
	}}))
	stats, err := db.Stats()
	must(t, err)
	if stats.SegmentVectorCount != 300 || last <= 0 || stats.IOKind == "" {
		t.Fatalf("%+v", stats)
	}
	problems, err := db.Check(ctx)
	if err != nil || len(problems) != 0 {
		t.Fatal(problems, err)
	}
	var done, total uint64
	progress := func(d, n uint64) error {
		done, total = d, n
		return nil
	}
	must(t, db.Backup(ctx, filepath.Join(folder, "copy.imgret"), progress))
	if done == 0 || done != total {
		t.Fatal(done, total)
	}
	wantCode(t, db.Backup(ctx, filepath.Join(folder, "copy.imgret"), nil), Exists)
	must(t, db.Export(ctx, filepath.Join(folder, "out"), progress))
	must(t, Import(ctx, filepath.Join(folder, "new.imgret"), filepath.Join(folder, "out"), progress))
	if done != 300 {
		t.Fatal(done)
	}
	if err = Import(gone, filepath.Join(folder, "b.imgret"), filepath.Join(folder, "out"), nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(db.Path(), "segments", "*"))
	must(t, err)
	measured, err := db.Calibrate(ctx, &CalibrateOptions{SampleCount: 100, CopyMax: 1, NoCopies: true})
	must(t, err)
	if stored, err := db.Calibration(ctx); err != nil || stored != measured || measured.ImageCount != 300 {
		t.Fatalf("%+v, %+v, %v", stored, measured, err)
	}
	must(t, db.Close())
	salvaged, err := Salvage(ctx, db.Path(), &SalvageOptions{BusyTimeout: Never})
	if err != nil || salvaged.Salvaged {
		t.Fatalf("%+v, %v", salvaged, err)
	}
	for _, path := range segments {
		must(t, os.Remove(path))
	}
	db, err = Open(db.Path(), nil)
	must(t, err)
	defer db.Close()
	lost := 0
	report, err := db.Repair(ctx, &RepairOptions{OnItem: func(IngestItem) error { lost++; return nil }})
	must(t, err)
	if report.ImagesLost != 300 || lost != 300 {
		t.Fatalf("%+v, %d", report, lost)
	}
}

func TestModels(t *testing.T) {
	folder := pictures(t, 3)
	db := open(t, "photos.imgret", nil)
	_, err := db.Ingest(ctx, []string{folder}, nil)
	must(t, err)
	must(t, db.UnloadModel())
	must(t, db.LoadModel(""))
	wantCode(t, db.LoadModel("torch:/nowhere.safetensors"), NotFound)
	told := uint64(0)
	report, err := db.Reembed(ctx, "classic;grey=yes", &ReembedOptions{OnProgress: func(done, _ uint64) error {
		told = done
		return nil
	}})
	must(t, err)
	if report.EmbeddedCount != 3 || told != 3 {
		t.Fatalf("%+v, %d", report, told)
	}
	_, err = db.Query(ctx, ID(1), nil)
	wantCode(t, err, Mismatch)

	e, err := OpenExtractor("classic", &ExtractorOptions{BatchDelay: Never})
	must(t, err)
	info, err := e.Info()
	must(t, err)
	got, err := e.Extract(ctx, []Input{File(filepath.Join(folder, "000.png")), Bytes([]byte("no")), Image(drawn(0, 48, 32))})
	must(t, err)
	length := 0.0
	for i, x := range got[0].Vector {
		length += float64(x) * float64(x)
		if x != got[2].Vector[i] {
			t.Fatal("the same picture has two vectors")
		}
	}
	if len(got[0].Vector) != info.Dimension || math.Abs(length-1) > 1e-4 || got[1].Vector != nil {
		t.Fatal(info, length)
	}
	wantCode(t, got[1].Err, BadImage)
	prepared, err := e.ExtractPrepared(ctx, []Input{Image(drawn(0, info.InputWidth, info.InputHeight)), Image(drawn(0, 3, 4))})
	must(t, err)
	if len(prepared[0].Vector) != info.Dimension || prepared[1].Err == nil {
		t.Fatal(prepared[0].Err, prepared[1].Err)
	}
	_, err = e.Label(0)
	wantCode(t, err, NotFound)
	must(t, e.Replace("classic"))
	must(t, e.Close())
	must(t, e.Close())
	if _, err = e.Extract(ctx, []Input{Bytes(nil)}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	_, err = OpenExtractor("vectors:3", nil)
	wantCode(t, err, InvalidArgument)
	_, err = InspectModel("/nowhere.safetensors", nil)
	wantCode(t, err, NotFound)

	var rows [][]float32
	for i := 0; i < 64; i++ {
		rows = append(rows, []float32{float32(i%7) * 9, float32(i % 5), float32(i%3) / 9})
	}
	path := filepath.Join(folder, "pca")
	share, err := TrainPCA(path, rows, &PCAOptions{Dimension: 1})
	if errors.Is(err, Unsupported) {
		t.Skip(err)
	}
	must(t, err)
	if share < 0.9 || share > 1 {
		t.Fatal(share)
	}
	_, err = TrainPCA(path, append(rows, nil), nil)
	wantCode(t, err, InvalidArgument)
}

func TestManyGoroutines(t *testing.T) {
	db := vectors(t, 100)
	var group sync.WaitGroup
	for g := 0; g < 8; g++ {
		group.Add(1)
		go func(g int) {
			defer group.Done()
			mine, cancel := context.WithCancel(ctx)
			defer cancel()
			for i := 0; i < 50; i++ {
				results, err := db.Query(mine, Vector([]float32{float32(i), 1, 0, 0}), &QueryOptions{K: 1})
				if err != nil || results.Hits[0].Score < 0.99 {
					t.Error(results, err)
				}
				if i%10 == 0 {
					if _, err := db.Add(mine, Vector([]float32{-1, float32(g), float32(i), 0}), nil); err != nil {
						t.Error(err)
					}
				}
			}
		}(g)
	}
	group.Wait()
}

func TestCloseStopsAndAwaitsCalls(t *testing.T) {
	db := vectors(t, 1)
	var group sync.WaitGroup
	for g := 0; g < 4; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				_, err := db.Query(ctx, ID(1), &QueryOptions{IncludeSelf: true})
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, Interrupted) {
					t.Error(err)
					return
				}
			}
		}()
	}
	time.Sleep(10 * time.Millisecond)
	must(t, db.Close())
	group.Wait()
}

func TestALeakIsReported(t *testing.T) {
	told := make(chan string, 10)
	before := Leaked
	defer func() { Leaked = before }()
	Leaked = func(what string) { told <- what }
	path := filepath.Join(t.TempDir(), "leak.imgret")
	func() {
		db, err := Open(path, &Options{Model: "vectors:2"})
		must(t, err)
		_, err = db.Add(ctx, Vector([]float32{1, 2}), nil)
		must(t, err)
	}()
	for i := 0; i < 200; i++ {
		runtime.GC()
		select {
		case what := <-told:
			if !strings.Contains(what, path) {
				t.Fatal(what)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("nothing was reported")
}

func TestLog(t *testing.T) {
	plugins := os.Getenv("IMGRET_TEST_PLUGINS")
	if _, err := os.Stat(filepath.Join(plugins, "imgret_fake.so")); plugins == "" || err != nil {
		t.Skip("IMGRET_TEST_PLUGINS has no fake backend, which logs")
	}
	var mutex sync.Mutex
	var lines []string
	SetLog(func(level LogLevel, message string) {
		mutex.Lock()
		lines = append(lines, fmt.Sprint(level, message))
		mutex.Unlock()
	}, LogInfo)
	defer SetLog(nil, 0)
	e, err := OpenExtractor("fake", &ExtractorOptions{PluginPath: []string{plugins}})
	must(t, err)
	e.Close()
	mutex.Lock()
	defer mutex.Unlock()
	if len(lines) == 0 {
		t.Fatal("nothing was logged")
	}
}
