package validator

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func TestRowsNeedAKeyThatTheyAreMatchedBy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const file = "External id,Email,First name,Customer number\nA,a@x.io,Ann,\n,b@x.io,Bob,\n,c@x.io,,\n,d@x.io,Di,7\n"
	account := &ingestv1.AccountSettings{Fields: own()}
	for name, c := range map[string]struct {
		keys []string
		mode ingestv1.Mode
		want []string
	}{
		"all": {nil, ingestv1.Mode_MODE_UPSERT, []string{
			"2 external_id=A email=a@x.io first_name=Ann", "3 email=b@x.io first_name=Bob", "4 email=c@x.io", "5 email=d@x.io first_name=Di customer_number=7"}},
		"one": {[]string{"external_id"}, ingestv1.Mode_MODE_UPSERT, []string{
			"2 external_id=A email=a@x.io first_name=Ann", "3 INVALID !no-key@-1<external_id>", "4 INVALID !no-key@-1<external_id>", "5 INVALID !no-key@-1<external_id>"}},
		"two, an own one among them": {[]string{"customer_number", "external_id"}, ingestv1.Mode_MODE_UPDATE, []string{
			"2 external_id=A email=a@x.io first_name=Ann", "3 INVALID !no-key@-1<external_id, customer_number>", "4 INVALID !no-key@-1<external_id, customer_number>", "5 email=d@x.io first_name=Di customer_number=7"}},
		"a name is enough to be added": {[]string{"external_id"}, ingestv1.Mode_MODE_ADD, []string{
			"2 external_id=A email=a@x.io first_name=Ann", "3 email=b@x.io first_name=Bob !no-key@-1(warning)<external_id>", "4 INVALID !no-key@-1<external_id>", "5 email=d@x.io first_name=Di customer_number=7 !no-key@-1(warning)<external_id>"}},
		"one that the file has not": {[]string{"phone", "email"}, ingestv1.Mode_MODE_UPSERT, []string{
			"2 external_id=A email=a@x.io first_name=Ann", "3 email=b@x.io first_name=Bob", "4 email=c@x.io", "5 email=d@x.io first_name=Di customer_number=7"}},
	} {
		r, rows := w.validate(job{file: file, settings: &ingestv1.ImportSettings{Mode: c.mode}, account: account, policies: &accountsv1.Policies{Keys: c.keys}})
		if d := cmp.Diff(c.want, rows); d != "" || r.GetQuestion() != nil {
			t.Errorf("%s: question %v, rows (-want +got):\n%s", name, r.GetQuestion(), d)
		}
	}
	r, _ := w.validate(job{file: file, account: account, policies: &accountsv1.Policies{Keys: []string{"phone", "vat_number"}}})
	if q := r.GetQuestion(); q.GetCode() != "no-key-column" || !strings.Contains(q.GetMessage(), "phone or vat_number") || !strings.Contains(q.GetHint(), "contactmill jobs answer 7 --map HEADING=phone") {
		t.Errorf("none of the chosen keys is there: asked %v", q)
	}
}

func TestWhenRowsWereChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newest := &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"phone": accountsv1.FieldRule_FIELD_RULE_NEWEST}}
	for name, c := range map[string]struct {
		file     string
		policies *accountsv1.Policies
		settings *ingestv1.ImportSettings
		want     []string // nil for the question date-order
	}{
		"under its name": {"Email,changed_at\na@x.io,2026-03-01 14:05\nb@x.io,\nc@x.io,UNSET\nd@x.io,2026-03-01T14:05:00Z\n", nil, nil,
			[]string{"2 email=a@x.io changed_at:=2026-03-01T14:05:00Z", "3 email=b@x.io", "4 email=c@x.io changed_at=UNSET", "5 email=d@x.io changed_at=2026-03-01T14:05:00Z"}},
		"by a word, where it matters": {"Email,Zuletzt geändert\na@x.io,1.3.2026 14:05\nb@x.io,13.3.26\n", newest, nil,
			[]string{"2 email=a@x.io changed_at:=2026-03-01T14:05:00Z", "3 email=b@x.io changed_at:=2026-03-13T00:00:00Z"}},
		"by a word, where it does not": {"Email,Zuletzt geändert\na@x.io,1.3.2026 14:05\nb@x.io,soon\n", nil, nil, []string{"2 email=a@x.io", "3 email=b@x.io"}},
		"bad cells": {"Email,changed_at\na@x.io,2026-03-01 25:00\nb@x.io,3000-01-01\nc@x.io,soon\nd@x.io,2026-03-01\n", newest, nil,
			[]string{"2 INVALID !time-invalid@1<2026-03-01 25:00>", "3 INVALID !changed-in-future@1<3000-01-01>", "4 INVALID !date-invalid@1<soon>", "5 email=d@x.io changed_at:=2026-03-01T00:00:00Z"}},
		"by the order of the column": {"Email,changed_at\na@x.io,\"2/3/2026, 2:05 PM\"\nb@x.io,2/13/2026 9:00 AM\n", nil, nil,
			[]string{"2 email=a@x.io changed_at:=2026-02-03T14:05:00Z", "3 email=b@x.io changed_at:=2026-02-13T09:00:00Z"}},
		"in an order that is open": {"Email,changed_at\na@x.io,2/3/2026 14:05\n", nil, nil, nil},
		"in the order that was said": {"Email,changed_at\na@x.io,2/3/2026 14:05\n", nil, &ingestv1.ImportSettings{DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY},
			[]string{"2 email=a@x.io changed_at:=2026-03-02T14:05:00Z"}},
	} {
		r, rows := w.validate(job{file: c.file, policies: c.policies, settings: c.settings})
		if d := cmp.Diff(c.want, rows); d != "" || (r.GetQuestion().GetCode() == "date-order") != (c.want == nil) {
			t.Errorf("%s: question %v, rows (-want +got):\n%s", name, r.GetQuestion(), d)
		}
	}
}

// A workbook's times are days with a fraction, whether they are shown as that or as a time.
func TestWhenRowsOfAWorkbookWereChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := excelize.NewFile()
	set := func(cell string, value any) error { return x.SetCellValue("Sheet1", cell, value) }
	shown, err := x.NewStyle(&excelize.Style{NumFmt: 22}) // m/d/yy h:mm
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 14, 5, 0, 0, time.UTC)
	var b bytes.Buffer
	if err := errors.Join(set("A1", "Email"), set("B1", "changed_at"), set("A2", "a@x.io"), set("B2", at), x.SetCellStyle("Sheet1", "B2", "B2", shown), set("A3", "b@x.io"), set("B3", 46082.586805556),
		set("A4", "c@x.io"), set("B4", "2026-03-01 14:05"), x.Write(&b), x.Close()); err != nil {
		t.Fatal(err)
	}
	r, rows := w.validate(job{file: b.String()})
	want := []string{"2 email=a@x.io changed_at:=2026-03-01T14:05:00Z", "3 email=b@x.io changed_at:=2026-03-01T14:05:00Z !date-from-serial@1(warning)<46082.586805556>=<2026-03-01T14:05:00Z>", "4 email=c@x.io changed_at:=2026-03-01T14:05:00Z"}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("question %v, rows (-want +got):\n%s", r.GetQuestion(), d)
	}
}
