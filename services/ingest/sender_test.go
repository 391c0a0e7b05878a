package ingest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// outdated is a file of three chunks with values that are older than those here, in the first and the last.
func outdated() result {
	const since = 1772373900 // 2026-03-01T14:05:00Z
	phone, email, city, own := uint16(contact.FieldPhone), uint16(contact.FieldEmail), uint16(contact.FieldCity), uint16(300)
	return result{
		headings: []string{"Mail", "SSN", "Phone", "City", "Calls", "Note", "Town"},
		fields:   []string{"email", "ssn", "phone", "city", "calls", "", "city"},
		chunks: [][]*row.Cells{
			{cells(2, "old@example.com", "***-**-1111", "+15551230000", "", "True", "", "=1+1"), cells(3, "b@example.com")},
			{cells(4, "c@example.com")},
			{cells(5, "d@example.com", "", "+15551239999", "Here"), cells(6, "UNSET", "", "@phone", "There")},
		},
		ended: []*row.Ended{
			{Outcome: row.Updated, Contact: known, Reason: "consent-kept", Detail: "email, ssn, phone, city, calls", Kept: []row.Kept{
				{Field: email, Reason: "newer-here", Value: []byte("new@example.com"), Since: since}, {Field: uint16(contact.FieldSSN), Reason: "newer-here", Value: []byte("***-**-2222"), Since: since + 1},
				{Field: phone, Reason: "newer-here", Value: []byte("+15551234567"), Since: since}, {Field: city, Reason: "newer-here", Value: []byte("-2+3")},
				{Field: own, Reason: "consent-kept", Value: []byte("False"), Since: since},
			}},
			{Outcome: row.Unchanged, Contact: second},
			{Outcome: row.Unchanged, Contact: second, Reason: "kept-by-rule", Detail: "phone", Kept: []row.Kept{{Field: phone, Reason: "kept-by-rule", Value: []byte("+15550000000")}}},
			{Outcome: row.Updated, Contact: second, Reason: "newer-here", Detail: "city, phone", Kept: []row.Kept{
				{Field: city, Reason: "kept-by-rule", Value: []byte("There")}, {Field: phone, Reason: "newer-here", Value: []byte("+15551111111"), Since: since},
			}},
			{Outcome: row.Unchanged, Contact: third, Reason: "newer-here", Kept: []row.Kept{
				{Field: email, Reason: "newer-here"}, {Field: phone, Reason: "newer-here", Value: []byte("+15552222222")},
			}},
		},
	}
}

func TestReturnToSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	job := c.mustUpload("any")
	returned := &ingestv1.DownloadReportRequest{Job: "1", Report: ingestv1.Report_REPORT_RETURN_TO_SENDER}
	_, err := c.download(returned)
	wanted(t, "report of a job under way", err, fault.Precondition, "job-not-final")
	wk.complete(job, outdated())

	got, err := c.download(returned)
	const heading = "line,contact_id,field,value_in_file,value_here,since,reason\n"
	const at = "2026-03-01T14:05:00Z"
	phones := []string{
		"2," + known.String() + ",phone,'+15551230000,'+15551234567," + at + ",newer-here\n",
		"5," + second.String() + ",phone,'+15551239999,'+15551111111," + at + ",newer-here\n",
		"6," + third.String() + ",phone,'@phone,'+15552222222,,newer-here\n",
	}
	others := []string{
		"2," + known.String() + ",email,old@example.com,new@example.com," + at + ",newer-here\n",
		"2," + known.String() + ",ssn,***-**-1111,***-**-2222,2026-03-01T14:05:01Z,newer-here\n",
		"2," + known.String() + ",city,'=1+1,'-2+3,,newer-here\n",
		"2," + known.String() + ",calls,True,False," + at + ",consent-kept\n",
		"6," + third.String() + ",email,UNSET,,,newer-here\n",
	}
	if d := cmp.Diff(heading+strings.Join(phones, "")+strings.Join(others, ""), got); d != "" || err != nil {
		t.Errorf("values to return: %v (-want +got):\n%s", err, d)
	}
	returned.Outcome = ingestv1.Outcome_OUTCOME_UNCHANGED
	if got, err = c.download(returned); got != heading+phones[2]+others[4] || err != nil {
		t.Errorf("values of unchanged rows to return: %v\n%s", err, got)
	}
	_, err = c.download(&ingestv1.DownloadReportRequest{Job: "1", Report: 9})
	wanted(t, "unknown report", err, fault.Invalid, "unknown-report")

	all, err := c.report("1", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`consent-kept: a withdrawn authorisation is not turned on again by a file (let the person give it anew) [calls]; newer-here: `, `[email, ssn, phone, city]`,
		`newer-here: the contact has a newer value than the file (take it over at its source; the report return to sender lists all such values) [phone]; kept-by-rule: `,
		` [city],`, ` [email, phone]"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the report of all rows does not say %q:\n%s", want, all)
		}
	}

	site := httptest.NewServer(r.service.Web(dial(t, r.addr, "")))
	t.Cleanup(site.Close)
	a := ask(t, "GET", site.URL+"/jobs/1/reports/return-to-sender.csv", "Bearer cm_"+account.String())
	if a.status != http.StatusOK || !strings.HasPrefix(a.body, heading+phones[0]) || a.header.Get("Content-Disposition") != `attachment; filename="job-1-return-to-sender.csv"` {
		t.Errorf("over HTTP: %d %v\n%s", a.status, a.header, a.body)
	}

	// A chunk that is needed and damaged is noticed; one that nobody asks for is not even opened.
	for chunk, damaged := range map[string]bool{"cells-b": false, "cells-c": true} {
		for _, name := range w.objects("work/" + account.String() + "/" + job.GetId() + "/") {
			if !strings.HasSuffix(name, chunk) {
				continue
			}
			content := w.content(name)
			content[len(content)-1] ^= 1
			if _, err := w.store.Put(t.Context(), name, bytes.NewReader(content), int64(len(content))); err != nil {
				t.Fatal(err)
			}
		}
		_, err := c.download(&ingestv1.DownloadReportRequest{Job: "1", Report: ingestv1.Report_REPORT_RETURN_TO_SENDER})
		if damaged != (fault.Of(err) == fault.DataLoss) || !damaged && err != nil {
			t.Errorf("with %s damaged the report ends with %v", chunk, err)
		}
		if damaged {
			break
		}
	}
}
