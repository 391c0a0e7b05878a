package markup

import "io"

// watchInterval is how much is read between two checks.
const watchInterval = 1 << 20

// Watch calls check about every MiB that is read of in. Its error ends the reading. A check of nil is none.
func Watch(in io.Reader, check func() error) io.Reader {
	if check == nil {
		return in
	}
	return &watched{in: in, check: check}
}

type watched struct {
	in    io.Reader
	check func() error
	since int64 // bytes read since the last check
}

func (w *watched) Read(b []byte) (int, error) {
	if w.since >= watchInterval {
		w.since = 0
		if err := w.check(); err != nil {
			return 0, err
		}
	}
	n, err := w.in.Read(b)
	w.since += int64(n)
	return n, err
}
