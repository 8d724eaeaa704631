// go_unbound prints what of imgret.h the Go binding does not use: functions, fields and constants.
//
//	go run go_unbound.go HEADER BINDING-FOLDER
//
// cgo turns the binding into plain Go with a type for each struct of C; type-checked, each field that
// is read or set is known by its struct and its name. The bridge in C is searched for names alone.
package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// Of the header, and on purpose not in the binding.
var meant = map[string]bool{
	"imgret_set_allocator": true, "imgret_allocator": true, // Go's memory is not the host's to give
	"imgret_extract": true, // Extract is imgret_extract_with
	"IMGRET_OK":      true, // no error
	// Calls return the code; Go's slices know how long they are.
	"imgret_error.code": true, "IMGRET_SWATCH_MAX": true, "imgret_salvage_report.loss_count": true,
	// The library is asked for its version.
	"IMGRET_VERSION_MAJOR": true, "IMGRET_VERSION_MINOR": true, "IMGRET_VERSION_PATCH": true,
}

var (
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	function  = regexp.MustCompile(`IMGRET_API [^;(]*?(imgret_\w+)\(`)
	constant  = regexp.MustCompile(`(?m)^#define (IMGRET_[A-Z0-9_]+) +[-(0-9U]`)
	structure = regexp.MustCompile(`(?s)typedef struct (\w+) \{(.*?)\} \w+;`)
	fieldName = regexp.MustCompile(`(\w+)\s*(?:\[\w+\])?$`)
	pointerTo = regexp.MustCompile(`\(\*(\w+)\)`)
	word      = regexp.MustCompile(`\w+`)
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_unbound:", err)
		os.Exit(2)
	}
	return value
}

func read(path string) string { return string(must(os.ReadFile(path))) }

// sources are the binding's files: those that cgo must see, and the others.
func sources(folder string) (cgo, plain []string) {
	for _, path := range must(filepath.Glob(filepath.Join(folder, "*.go"))) {
		switch name := filepath.Base(path); {
		case strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "flags_"):
		case strings.Contains(read(path), "\nimport \"C\"\n"):
			cgo = append(cgo, name)
		default:
			plain = append(plain, path)
		}
	}
	return cgo, plain
}

// fieldsUsed are "struct.field" of all structs of C whose fields Go names somewhere.
func fieldsUsed(paths []string) map[string]bool {
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		files = append(files, must(parser.ParseFile(set, path, nil, 0)))
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	// Some of what cgo writes only its own compiler understands: such complaints are not ours.
	check := types.Config{Importer: importer.ForCompiler(set, "source", nil), Error: func(error) {}}
	pkg, _ := check.Check("imgret", set, files, info)

	named := map[types.Object]bool{}
	for _, selection := range info.Selections {
		named[selection.Obj()] = true
	}
	for _, object := range info.Uses { // keys of composite literals
		named[object] = true
	}
	used := map[string]bool{}
	for _, name := range pkg.Scope().Names() {
		body, isStruct := pkg.Scope().Lookup(name).Type().Underlying().(*types.Struct)
		if !isStruct || !strings.HasPrefix(name, "_Ctype_struct_") {
			continue
		}
		for i := 0; i < body.NumFields(); i++ {
			if named[body.Field(i)] {
				field := strings.TrimPrefix(body.Field(i).Name(), "_") // cgo's way with Go's own words
				used[strings.TrimPrefix(name, "_Ctype_struct_")+"."+field] = true
			}
		}
	}
	return used
}

// fieldsOf are the names of a struct's fields in the header.
func fieldsOf(body string) (names []string) {
	for _, declaration := range strings.Split(body, ";") {
		declaration = strings.TrimSpace(declaration)
		if found := pointerTo.FindStringSubmatch(declaration); found != nil {
			names = append(names, found[1])
		} else if found := fieldName.FindStringSubmatch(declaration); found != nil {
			names = append(names, found[1])
		}
	}
	return names
}

func main() {
	header, folder := must(filepath.Abs(os.Args[1])), must(filepath.Abs(os.Args[2]))
	work := must(os.MkdirTemp("", "go_unbound"))
	defer os.RemoveAll(work)

	cgo, translated := sources(folder)
	arguments := []string{"tool", "cgo", "-objdir", work, "-importpath", "imgret", "--",
		"-I" + filepath.Dir(filepath.Dir(header)), "-I" + folder}
	command := exec.Command("go", append(arguments, cgo...)...)
	command.Dir = folder
	if said, err := command.CombinedOutput(); err != nil {
		must(0, fmt.Errorf("%v: %s", err, said))
	}
	for _, name := range cgo {
		translated = append(translated, filepath.Join(work, strings.TrimSuffix(name, ".go")+".cgo1.go"))
	}
	used := fieldsUsed(append(translated, filepath.Join(work, "_cgo_gotypes.go")))

	words, inBridge := map[string]bool{}, map[string]bool{}
	for _, name := range append(cgo, "bridge.c") {
		for _, found := range word.FindAllString(comment.ReplaceAllString(read(filepath.Join(folder, name)), " "), -1) {
			words[found] = true
			inBridge[found] = inBridge[found] || name == "bridge.c"
		}
	}
	text := comment.ReplaceAllString(read(header), " ")
	var unbound []string
	for _, kind := range []*regexp.Regexp{function, constant} {
		for _, found := range kind.FindAllStringSubmatch(text, -1) {
			if !words[found[1]] && !meant[found[1]] {
				unbound = append(unbound, found[1])
			}
		}
	}
	structs := structure.FindAllStringSubmatch(text, -1)
	for _, found := range structs {
		for _, field := range fieldsOf(found[2]) {
			name := found[1] + "." + field
			if field != "size" && !strings.HasSuffix(field, "_zero") && !meant[found[1]] && !meant[name] &&
				!used[name] && !inBridge[field] {
				unbound = append(unbound, name)
			}
		}
	}
	if len(structs) < 20 || len(used) < 100 {
		must(0, fmt.Errorf("found %d structs, and only %d fields that are used", len(structs), len(used)))
	}
	sort.Strings(unbound)
	for _, name := range unbound {
		fmt.Println(name)
	}
	if len(unbound) > 0 {
		os.Exit(1)
	}
}
