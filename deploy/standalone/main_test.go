package standalone

import (
	"errors"
	"testing"

	"github.com/contactmill/contactmill/pkg/fault"
)

func TestWhichProvider(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flag    string
		environ []string
		want    string
		code    string
	}{
		{"", nil, "", ""},
		{"", []string{"CONTACTMILL_PROVIDER_ADDR=a:1", "CONTACTMILL_PROVIDER_KEY=k"}, "a:1", ""},
		{"b:2", []string{"CONTACTMILL_PROVIDER_ADDR=a:1"}, "b:2", ""},
		{"b:2", []string{"CONTACTMILL_PROVIDER_KEY_FILE=/k"}, "b:2", ""},
		{"", []string{"CONTACTMILL_PROVIDER_KEY=k"}, "", "no-provider"}, // it would be shown to the bundled one
		{"", []string{"CONTACTMILL_PROVIDER_KEY_FILE=/k"}, "", "no-provider"},
	} {
		got, err := ProviderOf(c.flag, c.environ)
		if got != c.want || (c.code == "") != (err == nil) || err != nil && (fault.Code(err) != c.code || !errors.Is(err, fault.Invalid)) {
			t.Errorf("%q, %q: got %q, %v; want %q, %s", c.flag, c.environ, got, err, c.want, c.code)
		}
	}
}
