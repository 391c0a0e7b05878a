package s3

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/versity/versitygw/backend/posix"
	"golang.org/x/sync/errgroup"
)

// upload is the place of a multipart upload below its bucket; the backend names it so.
func (d *durable) upload(key, id string) string {
	return filepath.Join(posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))), id)
}

func (d *durable) part(key, id string, number int32) string {
	return filepath.Join(d.upload(key, id), strconv.Itoa(int(number)))
}

// settle syncs the attributes of a new file or directory, its entry in its directory, and the entries of those directories above it
// that may be new.
func (d *durable) settle(bucket, name string) error {
	path := filepath.Join(d.data, bucket, name)
	if err := d.settlePath(path, d.data); err != nil || d.beside == "" {
		return err
	}

	attributes := filepath.Join(d.beside, bucket, name, "meta")
	files, err := os.ReadDir(attributes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list metadata: %w", err)
	}
	for _, file := range files {
		if err := syncFile(filepath.Join(attributes, file.Name())); err != nil {
			return err
		}
	}
	return d.settlePath(attributes, d.beside)
}

// settlePath syncs all at once: the file system writes its journal for one as for many.
func (d *durable) settlePath(path, top string) error {
	var syncs errgroup.Group
	syncs.Go(func() error { return syncFile(path) })
	term := d.dirs.begin()
	var fresh []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		syncs.Go(func() error { return syncFile(dir) })
		if dir == top || d.dirs.known(dir) {
			break
		}
		fresh = append(fresh, dir)
	}
	if err := syncs.Wait(); err != nil {
		return err
	}
	d.dirs.learn(term, fresh)
	return nil
}

// settleRemoval syncs the directories from which entries have gone: for each name the nearest one that is still there.
func (d *durable) settleRemoval(bucket string, names ...string) error {
	places := map[string]bool{}
	for _, name := range names {
		places[nearest(filepath.Join(d.data, bucket, name))] = true
		if d.beside != "" {
			places[nearest(filepath.Join(d.beside, bucket, name))] = true
		}
	}
	for dir := range places {
		if err := syncFile(dir); err != nil {
			return err
		}
	}
	return nil
}

func nearest(path string) string {
	for {
		path = filepath.Dir(path)
		if _, err := os.Lstat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
	}
}

// parents are all directories of a name below the top ones.
func (d *durable) parents(bucket, name string) []string {
	var all []string
	for dir := filepath.Join(bucket, name, "meta"); dir != "."; dir = filepath.Dir(dir) {
		all = append(all, filepath.Join(d.data, dir))
		if d.beside != "" {
			all = append(all, filepath.Join(d.beside, dir))
		}
	}
	return all
}

// syncData is the hook of the backend between the last byte of a file and its link.
func syncData(f *os.File) error {
	if err := f.Sync(); err != nil {
		giveUp(err)
	}
	return nil
}

// syncFile syncs a file or directory. One that is gone was deleted by another request, which syncs that.
func syncFile(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open to sync: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		giveUp(err)
	}
	return nil
}

// giveUp ends the process. After a failed fsync the kernel may have dropped the pages, and a second fsync would succeed without
// them: nothing that this process believes to be on disk can be trusted.
func giveUp(err error) {
	fmt.Fprintln(os.Stderr, "sync to disk:", strings.TrimSpace(err.Error()))
	os.Exit(1)
}

// rememberedDirectories bounds the memory of directories; above it all is forgotten, which costs a few syncs.
const rememberedDirectories = 50_000

// directories remembers the directories whose own entry is known to be on disk, so that a put into an old directory does not sync
// all of them up to the bucket.
//
// The backend removes directories that a deletion leaves empty, and the next put makes them anew. So what is learned while a
// deletion runs, or in a term in which one began, is not kept, and a deletion forgets its directories before it begins.
type directories struct {
	mu       sync.Mutex
	onDisk   map[string]struct{}
	term     int // counts the deletions that began
	removals int // deletions that run
}

func newDirectories() *directories { return &directories{onDisk: map[string]struct{}{}} }

// begin returns the present term, or -1 while a deletion runs.
func (d *directories) begin() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.removals > 0 {
		return -1
	}
	return d.term
}

func (d *directories) known(dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.onDisk[dir]
	return ok
}

func (d *directories) learn(term int, dirs []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if term != d.term {
		return
	}
	if len(d.onDisk) > rememberedDirectories {
		clear(d.onDisk)
	}
	for _, dir := range dirs {
		d.onDisk[dir] = struct{}{}
	}
}

// removing forgets the directories for a deletion that is about to begin, and returns what to call at its end.
func (d *directories) removing(dirs []string) (done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.term++
	d.removals++
	for _, dir := range dirs {
		delete(d.onDisk, dir)
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.removals--
	}
}
