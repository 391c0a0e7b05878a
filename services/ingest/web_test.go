package ingest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

type answer struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, method, address string, credentials ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range credentials {
		req.Header.Add("Authorization", c)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	site := httptest.NewServer(r.service.Web(dial(t, r.addr, "")))
	t.Cleanup(site.Close)
	key := "Bearer cm_" + account.String()
	job := c.mustUpload("email\na@example.com\n")

	if a := ask(t, "GET", site.URL+"/jobs/1/reports/all", key); a.status != http.StatusConflict || !strings.Contains(a.body, `"code":"job-not-final"`) || !strings.Contains(a.body, `"hint":`) {
		t.Errorf("report of a job under way: %d %s", a.status, a.body)
	}
	wk.complete(job, mixed())
	for _, name := range []string{"1", job.GetId()} {
		a := ask(t, "GET", site.URL+"/jobs/"+name, key)
		var got struct {
			ID     string
			Number int
			State  string
			Counts map[string]int
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
			t.Fatalf("job %s: %d %s, %v", name, a.status, a.body, err)
		}
		if got.ID != job.GetId() || got.Number != 1 || got.State != "COMPLETED_WITH_REJECTS" || got.Counts["rows"] != 4 || got.Counts["added"] != 2 || len(got.Counts) != 16 {
			t.Errorf("job %s is %s", name, a.body)
		}
		for header, want := range map[string]string{
			"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if a.header.Get(header) != want {
				t.Errorf("%s is %q, want %q", header, a.header.Get(header), want)
			}
		}
	}
	want, err := c.report(job.GetId(), ingestv1.Outcome_OUTCOME_INVALID)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"invalid", "INVALID", "invalid.csv"} {
		a := ask(t, "GET", site.URL+"/jobs/1/reports/"+name, key)
		if a.status != http.StatusOK || a.body != want {
			t.Errorf("report %s: %d\n%s\nwant\n%s", name, a.status, a.body, want)
		}
		if got := a.header.Get("Content-Disposition"); got != `attachment; filename="job-1-invalid.csv"` {
			t.Errorf("Content-Disposition is %q", got)
		}
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "text/csv") {
			t.Errorf("Content-Type is %q", got)
		}
	}
	stranger := "Bearer cm_" + uuid.NewString()
	unknown := ask(t, "GET", site.URL+"/jobs/"+uuid.NewString(), key)
	foreign := ask(t, "GET", site.URL+"/jobs/"+job.GetId(), stranger)
	if unknown.status != http.StatusNotFound || foreign.status != unknown.status || foreign.body != unknown.body {
		t.Errorf("an unknown job answers %d %s, a foreign one %d %s", unknown.status, unknown.body, foreign.status, foreign.body)
	}
	for name, tc := range map[string]struct {
		method, path string
		credentials  []string
		status       int
	}{
		"no key":           {"GET", "/jobs/1", nil, 401},
		"bad key":          {"GET", "/jobs/1", []string{"Bearer nonsense"}, 401},
		"two keys":         {"GET", "/jobs/1", []string{key, key}, 401},
		"key in address":   {"GET", "/jobs/1?key=cm_" + account.String(), nil, 401},
		"service key":      {"GET", "/jobs/1", []string{"Bearer svc_wrong"}, 401},
		"controls in key":  {"GET", "/jobs/1", []string{"Bearer \xff\xfe"}, 401},
		"foreign report":   {"GET", "/jobs/" + job.GetId() + "/reports/all", []string{stranger}, 404},
		"unknown report":   {"GET", "/jobs/1/reports/everything", []string{key}, 404},
		"unspecified":      {"GET", "/jobs/1/reports/unspecified", []string{key}, 404},
		"unknown address":  {"GET", "/", []string{key}, 404},
		"climbing":         {"GET", "/jobs/..%2f..%2fetc", []string{key}, 404},
		"other method":     {"POST", "/jobs/1", []string{key}, 405},
		"head of a job":    {"HEAD", "/jobs/1", []string{key}, 200},
		"head of a report": {"HEAD", "/jobs/1/reports/all", []string{key}, 200},
	} {
		a := ask(t, tc.method, site.URL+tc.path, tc.credentials...)
		if a.status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, tc.status)
		}
		if tc.status == 401 && a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
		var e struct{ Code, Message string }
		if tc.status >= 400 && (json.Unmarshal([]byte(a.body), &e) != nil || e.Code == "" || e.Message == "") {
			t.Errorf("%s: the error is %q, want code and message", name, a.body)
		}
	}
}
