package coding_test

import (
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/coding"
)

func TestNamesComeBack(t *testing.T) {
	comesBack := func(name, read string, err error) {
		t.Helper()
		if err != nil || read != name && (read != "" || name != coding.Auto) {
			t.Errorf("%s was read as %q, %v", name, read, err)
		}
	}
	for _, name := range coding.CodesNames() {
		read, codes, err := coding.ParseCodes(strings.ToUpper(name))
		comesBack(name, read, err)
		if again := coding.CodesName(codes); codes.Bits > 0 && again != name {
			t.Errorf("the codes of %s are named %q", name, again)
		}
	}
	for _, name := range coding.RowsNames() {
		read, _, err := coding.ParseRows(strings.ToUpper(name))
		comesBack(name, read, err)
	}
	for _, name := range []string{"", "rabitq5", "fp64"} {
		if _, _, err := coding.ParseCodes(name); err == nil || !strings.Contains(err.Error(), "auto, fp32, fp16, rabitq1") {
			t.Errorf("codes %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "nothing", "int8", "rabitq4"} {
		if _, _, err := coding.ParseRows(name); err == nil || !strings.Contains(err.Error(), "auto, fp32, fp16") {
			t.Errorf("rows %q: %v", name, err)
		}
	}
}
