module github.com/libimgret/libimgret/bindings/go

go 1.19
