package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"

	imgret "github.com/libimgret/libimgret/bindings/go"
)

func plain(t *testing.T, red, blue uint8) []byte {
	picture := image.NewNRGBA(image.Rect(0, 0, 24, 24))
	for i := 0; i < 24*24; i++ {
		picture.SetNRGBA(i%24, i/24, color.NRGBA{red, uint8(i), blue, 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestServer(t *testing.T) {
	db, err := imgret.Open(filepath.Join(t.TempDir(), "photos.imgret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	web := httptest.NewServer((&server{db}).handler())
	defer web.Close()
	call := func(method, path string, body []byte, status int, out any) {
		t.Helper()
		request, err := http.NewRequest(method, web.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		if response.StatusCode != status {
			t.Fatalf("%s %s: %d, %s", method, path, response.StatusCode, text)
		}
		if out != nil {
			if err := json.Unmarshal(text, out); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	var red, blue imgret.Added
	call("POST", "/images?uri=red", plain(t, 220, 0), 200, &red)
	call("POST", "/images?uri=blue", plain(t, 0, 220), 200, &blue)
	var found imgret.Results
	call("POST", "/search?k=1", plain(t, 200, 20), 200, &found)
	if len(found.Hits) != 1 || found.Hits[0].URI != "red" {
		t.Fatalf("%+v", found)
	}
	call("GET", fmt.Sprint("/search?id=", red.ID), nil, 200, &found)
	if len(found.Hits) != 1 || found.Hits[0].ID != blue.ID {
		t.Fatalf("%+v", found)
	}
	where := url.QueryEscape("uri = :name OR width > :w")
	call("POST", "/search?where="+where+"&name=blue&w=24", plain(t, 200, 20), 200, &found)
	if len(found.Hits) != 1 || found.Hits[0].URI != "blue" {
		t.Fatalf("%+v", found)
	}
	var record imgret.Record
	call("GET", fmt.Sprint("/images/", red.ID), nil, 200, &record)
	if record.Width != 24 {
		t.Fatalf("%+v", record)
	}
	call("POST", "/search", []byte("no picture"), 400, nil)
	call("POST", "/search?where=nonsense(", plain(t, 1, 1), 400, nil)
	call("POST", "/search?k=0", nil, 400, nil)
	call("GET", "/images/99", nil, 404, nil)
	call("DELETE", fmt.Sprint("/images/", red.ID), nil, 200, nil)
	call("DELETE", fmt.Sprint("/images/", red.ID), nil, 404, nil)
}
