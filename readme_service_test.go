package shale_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/vector"
)

// This is the service of README.md, which TestREADMEService compares with it line by line.

// openDocs opens a collection, which it makes where there is none.
func openDocs(ctx context.Context, dir string) (*collection.Collection, error) {
	schema := collection.Schema{Vectors: []collection.Vector{{Dim: 3, Metric: vector.Cosine}}}
	if err := collection.Create(dir, schema); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return collection.Open(ctx, dir, collection.Options{})
}

// service answers PUT of a document, once it is on the disk, and POST of a collection.Query.
func service(docs *collection.Collection) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /docs", func(w http.ResponseWriter, r *http.Request) {
		var d collection.Document // {"id": "a1", "vector": [1, 0, 0], "payload": {"city": "Rome"}}
		err := json.NewDecoder(r.Body).Decode(&d)
		if err = errors.Join(err, docs.Upsert(r.Context(), []collection.Document{d})); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("POST /query", func(w http.ResponseWriter, r *http.Request) {
		var q collection.Query // {"Near": [[1, 0, 0]], "K": 5, "Filter": {"city": "Rome"}, "Payload": true}
		err := json.NewDecoder(r.Body).Decode(&q)
		hits, failed := docs.Query(r.Context(), q)
		if err = errors.Join(err, failed); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(hits)
	})
	return mux
}

// TestREADMEService compares the service with README.md, where it has at most 30 lines.
func TestREADMEService(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("readme_service_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, name := range []string{"openDocs", "service"} {
		_, code, _ := strings.Cut(string(own), "\nfunc "+name)
		code, _, _ = strings.Cut("func "+name+code, "\n}\n")
		lines += strings.Count(code, "\n") + 2
		if !strings.Contains(string(readme), code+"\n}\n") {
			t.Errorf("README.md doesn't have the function %s as this test does", name)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+code+"\n}\n", 0); err != nil {
			t.Error(err)
		}
	}
	if lines > 30 {
		t.Errorf("the service has %d lines, not at most 30", lines)
	}
}

// TestService writes to the service from several goroutines, and searches it after it was opened again.
func TestService(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my.docs")
	do := func(s *httptest.Server, method, path, body string) (status int, answer string) {
		r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.Client().Do(r)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer response.Body.Close()
		var b strings.Builder
		if err := response.Write(&b); err != nil {
			t.Error(err)
		}
		_, answer, _ = strings.Cut(b.String(), "\r\n\r\n")
		return response.StatusCode, answer
	}
	with := func(use func(s *httptest.Server)) {
		docs, err := openDocs(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(service(docs))
		use(s)
		s.Close()
		if err := docs.Close(); err != nil {
			t.Error(err)
		}
	}
	with(func(s *httptest.Server) {
		var all sync.WaitGroup
		for i, city := range []string{"Rome", "Oslo", "Rome", "Bonn"} {
			all.Go(func() {
				d := fmt.Sprintf(`{"id":%d,"vector":[1,%d,0],"payload":{"city":%q}}`, i, i, city)
				if status, answer := do(s, "PUT", "/docs", d); status != http.StatusOK {
					t.Errorf("document %d: %d, %s", i, status, answer)
				}
			})
		}
		all.Wait()
		status, answer := do(s, "PUT", "/docs", `{"id":9,"vector":[1]}`)
		if status != http.StatusBadRequest || !strings.Contains(answer, "1 values, not 3") {
			t.Errorf("a short vector: %d, %s", status, answer)
		}
	})
	with(func(s *httptest.Server) {
		q := `{"Near":[[1,2,0]],"K":5,"Filter":{"city":"Rome"},"Payload":true}`
		status, answer := do(s, "POST", "/query", q)
		var hits [][]struct {
			ID      int
			Payload struct{ City string }
		}
		if err := json.Unmarshal([]byte(answer), &hits); err != nil {
			t.Fatalf("%d, %s: %v", status, answer, err)
		}
		if got := fmt.Sprint(hits); got != "[[{2 {Rome}} {0 {Rome}}]]" {
			t.Errorf("the query found %s", got)
		}
	})
}
