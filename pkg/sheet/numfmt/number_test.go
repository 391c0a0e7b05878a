package numfmt

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestNumbersAreExact shows that the text of a number is the stored value, in its shortest form.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64Range(-1e16, 1e16), func(n int64) float64 { return float64(n) / 100 })).Draw(t, "value")
		if math.IsInf(value, 0) || math.IsNaN(value) {
			return
		}
		written := strconv.FormatFloat(value, rapid.SampledFrom([]byte("efgEG")).Draw(t, "form"), rapid.SampledFrom([]int{-1, 16, 20}).Draw(t, "digits"), 64)
		stored, err := strconv.ParseFloat(written, 64)
		if err != nil {
			return
		}
		want := strconv.FormatFloat(stored, 'f', -1, 64)
		if stored == 0 {
			want = "0"
		}
		got, kind := AppendNumber(nil, []byte(written))
		if string(got) != want {
			t.Fatalf("%s became %s, want %s", written, got, want)
		}
		if wantKind := kind == AsRounded; wantKind != (math.Abs(stored) >= 1e15) {
			t.Fatalf("%s is %v", written, kind)
		}
	})
}
