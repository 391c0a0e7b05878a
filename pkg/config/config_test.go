package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
)

type common struct {
	Level slog.Level `env:"LOG_LEVEL" envDefault:"info"`
}

type cfg struct {
	common
	Common common
	URL    config.Secret `env:"DATABASE_URL,required"`
	Slots  int           `env:"SLOTS" envDefault:"4"`
	Lease  time.Duration `env:"LEASE" envDefault:"30s"`
	Inner  struct {
		Key     config.Secret `env:"KEY"`
		KeyFile string        `env:"PATH_FILE"`
	} `envPrefix:"INNER_"`
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("s3cret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load[cfg]([]string{
		"HOME=/", "CONTACTMILL_DATABASE_URL=postgres://", "CONTACTMILL_SLOTS=9", "CONTACTMILL_LOG_LEVEL=debug",
		"CONTACTMILL_INNER_KEY_FILE=" + path, "CONTACTMILL_INNER_PATH_FILE=/x", "CONTACTMILL_TEST_POSTGRES=x",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.URL.Reveal() != "postgres://" || got.Slots != 9 || got.Lease != 30*time.Second || got.Common.Level != slog.LevelDebug ||
		got.Inner.Key.Reveal() != "s3cret" || got.Inner.KeyFile != "/x" {
		t.Errorf("got %+v, key %q", got, got.Inner.Key.Reveal())
	}
	var w bytes.Buffer
	if err := config.Print(&w, got); err != nil {
		t.Fatal(err)
	}
	want := "CONTACTMILL_LOG_LEVEL=DEBUG\nCONTACTMILL_DATABASE_URL=redacted\nCONTACTMILL_SLOTS=9\nCONTACTMILL_LEASE=30s\n" +
		"CONTACTMILL_INNER_KEY=redacted\nCONTACTMILL_INNER_PATH_FILE=/x\n"
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	url := "CONTACTMILL_DATABASE_URL=postgres://u:s3cret@h/d"
	for name, c := range map[string]struct {
		env  []string
		text string
		hint string
	}{
		"unknown":          {[]string{url, "CONTACTMILL_SLOT=1"}, "CONTACTMILL_SLOT is no setting", "did you mean CONTACTMILL_SLOTS?"},
		"far from any":     {[]string{url, "CONTACTMILL_XYZZY_PLUGH_QUUX=1"}, "CONTACTMILL_XYZZY_PLUGH_QUUX is no setting", ""},
		"of Kubernetes":    {[]string{url, "CONTACTMILL_INGEST_PORT=tcp://10.0.0.1:9"}, "CONTACTMILL_INGEST_PORT", "Kubernetes sets it for a Service of that name: set enableServiceLinks: false for the pod"},
		"missing":          {nil, "CONTACTMILL_DATABASE_URL is not set", ""},
		"no number":        {[]string{url, "CONTACTMILL_SLOTS=s3cret"}, "CONTACTMILL_SLOTS is no int", ""},
		"both":             {[]string{url, "CONTACTMILL_DATABASE_URL_FILE=/x"}, "both set", ""},
		"twice":            {[]string{url, "CONTACTMILL_SLOTS=1", "CONTACTMILL_SLOTS=2"}, "CONTACTMILL_SLOTS is set twice", ""},
		"no file":          {[]string{"CONTACTMILL_DATABASE_URL_FILE=/nowhere/to/be/found"}, "CONTACTMILL_DATABASE_URL_FILE cannot be read", ""},
		"file of no known": {[]string{url, "CONTACTMILL_NOTHING_FILE=/x"}, "CONTACTMILL_NOTHING_FILE is no setting", ""},
	} {
		_, err := config.Load[cfg](c.env)
		if fault.Of(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), c.text) || fault.HintOf(err) != c.hint {
			t.Errorf("%s: %v, hint %q; want text %q, hint %q", name, err, fault.HintOf(err), c.text, c.hint)
		}
		if strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s: the error quotes a value", name)
		}
	}
}

func TestPart(t *testing.T) {
	t.Parallel()
	got, err := config.Part[struct{ Common common }]([]string{"CONTACTMILL_LOG_LEVEL=warn", "CONTACTMILL_OTHER=1"})
	if err != nil || got.Common.Level != slog.LevelWarn {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	s := struct{ S config.Secret }{"s3cret"}
	var w bytes.Buffer
	slog.New(slog.NewJSONHandler(&w, nil)).Info("x", "s", s.S, "all", s)
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&w, verb, s)
		fmt.Fprintf(&w, verb, s.S)
	}
	if got := w.String() + string(j); strings.Contains(got, "s3cret") || strings.Contains(got, "733363") {
		t.Errorf("shown: %s", got)
	}
	if config.Secret("").String() != "" {
		t.Error("an empty secret looks like one that is set")
	}
}
