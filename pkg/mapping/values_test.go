package mapping

import "testing"

func TestKindOf(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]kind{
		"": blank, " \u00a0\u200b": blank, "Ada": text, "ada@example.com": email, " ada@example.com ": email, "@ada": text, "ada@example": text, "a@b.c d@e.f": text, "a@b@c.d": text, "Ada <ada@example.com>": text,
		"+44 20 7946 0018": phone, "(020) 7946 0018": phone, "0044207946": phone, "020 79460018": phone, "555-123-4567": phone, "030/1234567": phone, "+4420": text, "2079460018": digits, "12": digits, "1.5": digits, "-3": digits,
		"1815-12-10": date, "10.12.1815": date, "12/10/15": date, "1815-12-10T00:00:00Z": date, "1815-12-10 10:00": date, "1/2/3": text, "10-12": digits, "536-22-1234": text, "12:30": text, "1.2.3.4": text, "192.168.100.100": text, "01.02.03.04.05": phone,
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8": uuid, "6ba7b8109dad11d180b400c04fd430c8": uuid, "0035g00000A1": text, "10117 Berlin": text, "#1001": text, "0": digits, "00": digits, "１２": text, "+": text, "...": text,
	} {
		if got := kindOf(value); got != want {
			t.Errorf("%q is of kind %d, want %d", value, got, want)
		}
	}
}
