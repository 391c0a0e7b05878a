package markup

import "bytes"

// readEnd reads an end tag, which must be that of the innermost open element.
func (r *Reader) readEnd() error {
	if len(r.marks) == 0 {
		return ErrDamaged
	}
	open := r.names[r.marks[len(r.marks)-1]:]
	if err := r.need(len(open) + 3); err != nil {
		return err
	}
	if !bytes.Equal(r.buf[r.pos+2:r.pos+2+len(open)], open) {
		return ErrDamaged
	}
	r.pos += 2 + len(open)
	for {
		if r.pos == r.end {
			if err := r.more(); err != nil {
				return Unexpected(err)
			}
		}
		c := r.buf[r.pos]
		r.pos++
		if c == '>' {
			r.pop()
			return nil
		}
		if !isSpace(c) {
			return ErrDamaged
		}
	}
}

// readStart reads a start tag as a whole.
func (r *Reader) readStart() error {
	if len(r.marks) == 0 && r.rooted {
		return ErrDamaged
	}
	for {
		n, err := r.scanStart(r.buf[r.pos:r.end])
		if err != nil {
			return err
		}
		if n > 0 {
			r.pos += n
			r.rooted = true
			return nil
		}
		if err := r.more(); err != nil {
			return Unexpected(err)
		}
	}
}

// scanStart parses the start tag at the head of b and opens its element. It returns the tag's length, 0 if b ends before.
func (r *Reader) scanStart(b []byte) (int, error) {
	i := 1
	for i < len(b) && !endsName[b[i]] {
		i++
	}
	if i == len(b) {
		return 0, nil
	}
	full := b[1:i]
	if len(full) == 0 {
		return 0, ErrDamaged
	}
	r.Attributes, r.selfEnded = r.Attributes[:0], false
	declares := false
	for {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i+1 >= len(b) && (i == len(b) || b[i] != '>') {
			return 0, nil
		}
		if b[i] == '>' {
			i++
			break
		}
		if b[i] == '/' {
			if b[i+1] != '>' {
				return 0, ErrDamaged
			}
			i += 2
			r.selfEnded = true
			break
		}
		a, n, err := scanAttribute(b[i:])
		if err != nil || n == 0 {
			return 0, err
		}
		if len(r.Attributes) == maxAttributes {
			return 0, TooLarge("attributes", maxAttributes)
		}
		r.Attributes = append(r.Attributes, a)
		declares = declares || len(a.Name) >= 5 && string(a.Name[:5]) == "xmlns" || string(a.Prefix) == "xmlns"
		i += n
	}
	return i, r.push(full, declares)
}

// scanAttribute parses the Attribute at the head of b. Its length is 0 if b ends before it does.
func scanAttribute(b []byte) (Attribute, int, error) {
	var a Attribute
	i, colon := 0, -1
	for i < len(b) && !endsName[b[i]] {
		if b[i] == ':' {
			if colon >= 0 {
				return a, 0, ErrDamaged
			}
			colon = i
		}
		i++
	}
	if colon > 0 {
		a.Prefix, a.Name = b[:colon], b[colon+1:i]
	} else {
		a.Name = b[:i]
	}
	nameEnd := i
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i == len(b) {
		return a, 0, nil
	}
	if nameEnd == 0 || b[i] != '=' || colon == 0 || colon > 0 && colon == nameEnd-1 {
		return a, 0, ErrDamaged
	}
	i++
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i == len(b) {
		return a, 0, nil
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return a, 0, ErrDamaged
	}
	i++
	n := bytes.IndexByte(b[i:], quote)
	if n < 0 {
		return a, 0, nil
	}
	a.Value = b[i : i+n]
	i += n + 1
	if bytes.IndexByte(a.Value, '<') >= 0 || i < len(b) && !isSpace(b[i]) && b[i] != '>' && b[i] != '/' {
		return a, 0, ErrDamaged
	}
	return a, i, nil
}
