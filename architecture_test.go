package shale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/shale-search/shale"

// publicGroup is some packages that users import, and the number of public names, see publicNames, that they may have
// altogether. It only ever falls.
type publicGroup struct {
	folders []string
	most    int
}

// publicPackages are all packages that users import: those of indexes, and that of collections, which stands on them.
var publicPackages = []publicGroup{
	{[]string{".", "search", "vector", "dataset", "eval"}, 150},
	{[]string{"collection"}, 90},
}

// TestImportsGoDownTheMap compares the imports of all packages with the list of folders in ARCHITECTURE.md: a package
// imports only packages further down. So there are no cycles either, and the list names every package.
func TestImportsGoDownTheMap(t *testing.T) {
	place := map[string]int{}
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^- \\[`[^`]+`\\]\\(([^)]+)\\)").FindAllStringSubmatch(string(text), -1) {
		place[m[1]] = len(place)
	}
	packages := modulePackages(t)
	for folder := range place {
		if packages[folder] == nil {
			t.Errorf("ARCHITECTURE.md lists %s, which has no Go files", folder)
		}
	}
	for folder, files := range packages {
		if _, ok := place[folder]; !ok {
			t.Errorf("ARCHITECTURE.md doesn't list %s", folder)
			continue
		}
		for _, file := range files {
			for _, lower := range moduleImports(file) {
				if place[lower] <= place[folder] {
					t.Errorf("%s imports %s, which isn't further down in ARCHITECTURE.md", folder, lower)
				}
			}
		}
	}
}

// TestPublicNamesAreFew bounds the names that a user of the module may meet.
func TestPublicNamesAreFew(t *testing.T) {
	packages := modulePackages(t)
	for folder := range packages {
		public := !strings.Contains("/"+folder+"/", "/internal/") && packages[folder][0].Name.Name != "main"
		if public && !isPublic(folder) {
			t.Errorf("%s is a public package: move it under internal, or list it in this test", folder)
		}
	}
	for _, group := range publicPackages {
		total := 0
		for _, folder := range group.folders {
			names := publicNames(packages, folder)
			t.Logf("%s: %d names", folder, len(names))
			total += len(names)
		}
		if total > group.most {
			t.Errorf("%v: %d public names, at most %d are allowed: go test -v -run PublicNames lists each package's number",
				group.folders, total, group.most)
		}
	}
}

// isPublic reports whether a folder is one of publicPackages.
func isPublic(folder string) bool {
	return slices.ContainsFunc(publicPackages, func(group publicGroup) bool {
		return slices.Contains(group.folders, folder)
	})
}

// modulePackages parses the Go files of the module, tests apart, for all platforms. The key is the package's folder.
func modulePackages(t *testing.T) map[string][]*ast.File {
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if name != "." && (err == nil || entry.Name() == "testdata" || strings.ContainsAny(entry.Name()[:1], "._")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		folder := filepath.ToSlash(filepath.Dir(name))
		packages[folder] = append(packages[folder], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// moduleImports returns the folders of the module's packages that a file imports.
func moduleImports(file *ast.File) (folders []string) {
	for _, spec := range file.Imports {
		if folder, ok := moduleFolder(spec); ok {
			folders = append(folders, folder)
		}
	}
	return folders
}

func moduleFolder(spec *ast.ImportSpec) (string, bool) {
	imported, _ := strconv.Unquote(spec.Path.Value)
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// publicNames returns the exported names of a package: constants, variables, functions, types, and the methods of
// types, those of interfaces and of internal types under a public alias included. Fields don't count.
func publicNames(packages map[string][]*ast.File, folder string) map[string]bool {
	names := map[string]bool{}
	for _, file := range packages[folder] {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if name := funcName(decl); ast.IsExported(decl.Name.Name) && ast.IsExported(name) {
					names[name] = true
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					addNames(names, packages, file, spec)
				}
			}
		}
	}
	return names
}

// funcName returns the name of a function, and Type.Method of a method.
func funcName(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return decl.Name.Name
	}
	receiver := decl.Recv.List[0].Type
	for {
		switch expr := receiver.(type) {
		case *ast.StarExpr:
			receiver = expr.X
		case *ast.IndexExpr:
			receiver = expr.X
		case *ast.IndexListExpr:
			receiver = expr.X
		case *ast.Ident:
			return expr.Name + "." + decl.Name.Name
		default:
			return ""
		}
	}
}

func addNames(names map[string]bool, packages map[string][]*ast.File, file *ast.File, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			if name.IsExported() {
				names[name.Name] = true
			}
		}
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return
		}
		names[spec.Name.Name] = true
		if methods, ok := spec.Type.(*ast.InterfaceType); ok {
			for _, method := range methods.Methods.List {
				for _, name := range method.Names {
					if name.IsExported() {
						names[spec.Name.Name+"."+name.Name] = true
					}
				}
			}
		}
		if aliased, ok := spec.Type.(*ast.SelectorExpr); ok && spec.Assign.IsValid() {
			addAliased(names, packages, file, spec.Name.Name, aliased)
		}
	}
}

// addAliased adds the methods of an internal type that has a public alias.
func addAliased(names map[string]bool, packages map[string][]*ast.File, file *ast.File, alias string,
	aliased *ast.SelectorExpr) {
	for _, spec := range file.Imports {
		folder, ok := moduleFolder(spec)
		if !ok || path.Base(folder) != aliased.X.(*ast.Ident).Name || isPublic(folder) {
			continue
		}
		for name := range publicNames(packages, folder) {
			if method, ok := strings.CutPrefix(name, aliased.Sel.Name+"."); ok {
				names[alias+"."+method] = true
			}
		}
	}
}
