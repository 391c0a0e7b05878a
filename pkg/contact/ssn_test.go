package contact_test

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

func TestSSN(t *testing.T) {
	t.Parallel()
	bad := finding.SSNInvalid
	check(t, []sample{
		{"536-22-8145", "536228145", ""}, {" 536 22 8145 ", "536228145", ""}, {"536228145", "536228145", ""},
		{"５３６-２２-８１４５", "536228145", ""}, {"٥٣٦٢٢٨١٤٥", "", bad},
		{"000-22-8145", "", bad}, {"666-22-8145", "", bad}, {"900-22-8145", "", bad}, {"999228145", "", bad},
		{"536-00-8145", "", bad}, {"536-22-0000", "", bad}, {"123-45-6789", "", bad}, {"078-05-1120", "", bad},
		{"53622814", "", bad}, {"5362281455", "", bad}, {"536-2-28145", "", bad}, {"536-22 8145", "", bad},
		{"53A228145", "", bad}, {"536228145\x00", "", bad}, {"\xff", "", bad}, {"", "", bad},
	}, contact.AppendSSN)
}
