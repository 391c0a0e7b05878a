package contact_test

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

func TestBoolean(t *testing.T) {
	t.Parallel()
	var samples []sample
	for _, yes := range []string{"true", "TRUE", " Yes ", "y", "1", "x", "X", "on", "Ja", "WAHR", "oui", "vrai", "sí", "SÌ", "si", "verdadero", "vero", "sim", "verdadeiro", "waar", "tak", "prawda", "да", "ДА", "истина", "是", "真", "✓", "✔", "ＹＥＳ"} {
		samples = append(samples, sample{yes, "true", ""})
	}
	for _, no := range []string{"false", "No", "N", "0", "off", "nein", "FALSCH", "non", "faux", "falso", "não", "NÃO", "nee", "onwaar", "nie", "fałsz", "FAŁSZ", "нет", "ложь", "否", "假", "✗"} {
		samples = append(samples, sample{no, "false", ""})
	}
	for _, neither := range []string{"", "maybe", "o", "2", "-1", "null", "N/A", "yes!", "yes no", "-", "?", "✓✓", "asdfasdf", "\xff", "t\x00", "yesyesyesyesyesyesyesyesyes", "¹"} {
		samples = append(samples, sample{neither, "", finding.BooleanInvalid})
	}
	check(t, samples, contact.AppendBoolean)
}

func TestAuthorisation(t *testing.T) {
	t.Parallel()
	var samples []sample
	for _, word := range []string{"True", "TRUE", "true", "T", "t", " true "} {
		samples = append(samples, sample{word, "True", ""})
	}
	for _, word := range []string{"False", "FALSE", "false", "F", "f"} {
		samples = append(samples, sample{word, "False", ""})
	}
	samples = append(samples, sample{"Empty", "Empty", ""})
	for _, word := range []string{"", "empty", "EMPTY", "yes", "1", "0", "x", "tRUE", "null", "asdfasdf", "not_boolean", "True.", "T F", "ｔrue", "true\x00"} {
		samples = append(samples, sample{word, "", finding.AuthorisationWord})
	}
	check(t, samples, contact.AppendAuthorisation)
}

func TestConsentCorpus(t *testing.T) {
	t.Parallel()
	taken, refused := 0, 0
	for _, row := range corpusRows(t, "ghost/subscribed-to-emails-cases.csv") {
		cell := row["subscribed_to_emails"]
		if cell == "" {
			continue
		}
		got, code := contact.AppendAuthorisation(nil, []byte(cell))
		switch cell {
		case "true", "false":
			if code != "" || string(got) != map[string]string{"true": "True", "false": "False"}[cell] {
				t.Errorf("%q became %q with %q", cell, got, code)
			}
			taken++
		default:
			if code != finding.AuthorisationWord || len(got) > 0 {
				t.Errorf("%q became %q with %q, want it to be no consent", cell, got, code)
			}
			refused++
		}
	}
	if taken != 6 || refused != 6 {
		t.Errorf("%d taken and %d refused, want 6 and 6", taken, refused)
	}
	t.Logf("%d consents and refusals taken, %d other words refused", taken, refused)
}
