package sheet

import (
	"bytes"
	"sync"
)

// Block is a piece of a file that holds whole records. Its data belong to whoever got it, and may be changed, until it
// is released. Those of a workbook are in a form of this package's own.
type Block struct {
	Data   []byte
	Index  int   // from 0, in the order of the file
	Offset int64 // of its first byte in the decoded text; 0 in a workbook
	Line   int64 // physical line of its first byte, or row of a workbook

	rows     bool   // of a workbook
	followed bool   // it is not the last of a text
	index    *index // of the data; nil makes a parser make its own
	room     *room
	pool     *sync.Pool
}

// room is the memory of a block.
type room struct {
	buf   []byte
	index index
}

// Release gives the block's memory back for another. Records read from it are void after that.
func (b *Block) Release() {
	if b.pool != nil {
		b.pool.Put(b.room)
		*b = Block{}
	}
}

// Clone copies a block that is to be parsed twice: parsing spends it.
func (b *Block) Clone() *Block {
	return &Block{Data: bytes.Clone(b.Data), Index: b.Index, Offset: b.Offset, Line: b.Line, rows: b.rows, followed: b.followed}
}
