package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	var w bytes.Buffer
	tel := telemetry.New("ingest", "v1", &w)
	tel.Log.Debug("not this")
	tel.Log.Error("relay stopped", telemetry.Err(fault.New(fault.Unavailable, "bus-gone", "no answer")))
	var got map[string]any
	if err := json.Unmarshal(w.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.String())
	}
	delete(got, "time")
	want := map[string]any{"level": "ERROR", "msg": "relay stopped", "service": "ingest", "version": "v1",
		"error": "no answer", "kind": "unavailable", "code": "bus-gone"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}

	w.Reset()
	tel.Configured("ingest", telemetry.Config{Level: slog.LevelWarn, Format: "text"}).Log.Info("not this")
	tel.Configured("ingest", telemetry.Config{Level: slog.LevelDebug, Format: "text"}).For("merge").Log.Debug("claimed")
	if got := w.String(); !strings.Contains(got, "msg=claimed service=merge version=v1") || strings.Contains(got, "not this") {
		t.Errorf("text log: %s", got)
	}
}

func TestMetricsOfTwoServicesInOneProcess(t *testing.T) {
	t.Parallel()
	one := telemetry.New("ingest", "v1", io.Discard)
	two := one.For("merge")
	two.For("merge").Call("/m", "OK", 2*time.Millisecond) // the same once more: as standalone tests build it
	two.Call("/m", "OK", time.Millisecond)
	one.Call("/m", "NOT_FOUND", time.Second)
	for _, tel := range []*telemetry.Telemetry{one, two} {
		g := telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{Name: "slots"}))
		g.Set(3)
	}
	code, body := get(t, one.Handler(func() error { return nil }), "/metrics")
	if code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	for _, line := range []string{
		`contactmill_rpc_total{code="OK",method="/m",service="merge"} 2`,
		`contactmill_rpc_total{code="NOT_FOUND",method="/m",service="ingest"} 1`,
		`contactmill_rpc_seconds_bucket{code="OK",method="/m",service="merge",le="0.001"} 1`,
		`slots{service="ingest"} 3`,
		`slots{service="merge"} 3`,
		"go_goroutines ",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("no line %s", line)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var state error
	h := telemetry.New("x", "v1", io.Discard).Handler(func() error { return state })
	if code, body := get(t, h, "/readyz"); code != http.StatusOK {
		t.Errorf("ready: %d %s", code, body)
	}
	state = fault.Wrap(fault.Unavailable, "", errors.New("private"), "the bus is gone")
	if code, body := get(t, h, "/readyz"); code != http.StatusServiceUnavailable || body != "not ready: the bus is gone\n" {
		t.Errorf("not ready: %d %s", code, body)
	}
	if code, _ := get(t, h, "/livez"); code != http.StatusOK {
		t.Errorf("alive though not ready: %d", code)
	}
}
