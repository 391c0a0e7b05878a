package jsonview_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/jsonview"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func TestMarshal(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC))
	left := int64(0)
	for name, c := range map[string]struct {
		m    proto.Message
		want string
	}{
		"counts, zeros shown": {
			&ingestv1.Counts{Rows: 1 << 53, Added: 3},
			`{"rows":9007199254740992,"added":3,"updated":0,"unchanged":0,"duplicate":0,"unmatched":0,"invalid":0,"conflict":0,"held":0,` +
				`"suppressed":0,"blank":0,"sent_to_provider":0,"known_to_provider":0,"newer_here":0,"removed":0,"enriched_later":0}`,
		},
		"job": {
			&ingestv1.Job{
				Id: "j", Number: 7, State: ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, CreatedAt: at,
				Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD, Mapping: map[string]string{"b": "email", "a": "-"}, Recipients: []string{"x@example.com"}},
			},
			`{"id":"j","number":7,"state":"COMPLETED_WITH_REJECTS","settings":{"mode":"ADD","mapping":{"a":"-","b":"email"},"check":false,` +
				`"recipients":["x@example.com"],"values":{},"review":false},"file_size":0,"created_at":"2026-01-02T03:04:05.6Z","columns":[],"last_event":0,"unknown_values":[],"undo_of_number":0,"corrects_number":0,"forecast_of_number":0}`,
		},
		"forecast": {
			&ingestv1.Forecast{ToSend: 3, Cost: &ingestv1.Cost{Micros: 3000, Currency: "EUR"}, Provider: "acme"},
			`{"to_send":3,"known_already":0,"cost":{"micros":3000,"currency":"EUR"},"jobs_ahead":0,"provider":"acme"}`,
		},
		"forecast that costs nothing": {
			&ingestv1.Forecast{ToSend: 3, Cost: &ingestv1.Cost{}, JobsAhead: 2},
			`{"to_send":3,"known_already":0,"cost":{"micros":0},"jobs_ahead":2}`,
		},
		"optional unset": {&ingestv1.Progress{Stage: "match", Rate: 0.5}, `{"stage":"match","done":0,"total":0,"rate":0.5}`},
		"optional zero":  {&ingestv1.Progress{Stage: "match", SecondsLeft: &left}, `{"stage":"match","done":0,"total":0,"rate":0,"seconds_left":0}`},
		"oneof":          {&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: []byte{1, 2}}}, `{"chunk":"AQI="}`},
		"duration":       {&ingestv1.RenewResponse{Lease: durationpb.New(1500 * time.Millisecond)}, `{"lease":1.5}`},
		"enum of two words": {
			&accountsv1.Account{UnknownToProvider: accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT},
			`{"package":0,"recipients":[],"raw_days":0,"result_days":0,"unknown_to_provider":"KEEP_OUT","provider_days":0}`,
		},
		"enum of a newer release": {&ingestv1.ListJobsRequest{States: []ingestv1.JobState{99}}, `{"page_size":0,"states":["99"]}`},
		"text":                    {&ingestv1.Problem{Code: "a\"\\\n\r\t\x00\x1b\x7f\u0085\u2028\u202eé<&"}, `{"code":"a\"\\\n\r\t\u0000\u001b\u007f\u0085\u2028\u202eé<&"}`},
	} {
		got, err := jsonview.Marshal(c.m)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", name, got, err, c.want)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]proto.Message{
		"nothing":      nil,
		"NaN":          &ingestv1.Progress{Rate: math.NaN()},
		"infinity":     &ingestv1.Progress{Rate: math.Inf(1)},
		"broken UTF-8": &ingestv1.Problem{Code: "\xff"},
		"year 10000":   &ingestv1.Job{CreatedAt: &timestamppb.Timestamp{Seconds: 253402300800}},
	} {
		if got, err := jsonview.Marshal(m); err == nil {
			t.Errorf("%s is written as %s, want an error", name, got)
		}
	}
}

func TestMarshalIndent(t *testing.T) {
	t.Parallel()
	got, err := jsonview.MarshalIndent(&ingestv1.Problem{Code: "a", Hint: "b"})
	if want := "{\n  \"code\": \"a\",\n  \"hint\": \"b\"\n}"; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestEnumName(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]ingestv1.JobState{"NEEDS_ANSWER": ingestv1.JobState_JOB_STATE_NEEDS_ANSWER, "77": 77} {
		if got := jsonview.EnumName(e); got != want {
			t.Errorf("name of %d is %q, want %q", e, got, want)
		}
	}
}

// Any text comes back through a JSON reader as it went in.
func TestTextComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]string{rapid.String().Draw(t, "key"): rapid.String().Draw(t, "value")}
		b, err := jsonview.Marshal(&ingestv1.ImportSettings{Mapping: want})
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Mapping map[string]string }
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("read %s: %v", b, err)
		}
		for k, v := range want {
			if got.Mapping[k] != v {
				t.Fatalf("%q: %q came back as %q", k, v, got.Mapping[k])
			}
		}
		if strings.ContainsFunc(string(b), func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Fatalf("%q holds a control character", b)
		}
	})
}
