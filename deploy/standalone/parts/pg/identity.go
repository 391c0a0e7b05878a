package pg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// nobody is the uid that a user namespace shows to PostgreSQL instead of a real one it would refuse.
const nobody = 65534

// identity is the user that PostgreSQL's programs run as. PostgreSQL refuses to run as root and wants a uid with a name.
type identity struct {
	uid, gid  int  // owner of the cluster's files, as seen from outside
	drop      bool // root gives up its rights for uid and gid
	namespace bool // the own uid stays but looks like nobody from inside
}

// attributes of a process that runs with the identity.
func (i identity) attributes() *syscall.SysProcAttr {
	switch {
	case i.drop:
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(i.uid), Gid: uint32(i.gid), Groups: []uint32{}}}
	case i.namespace:
		return &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: i.uid, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: i.gid, Size: 1}},
		}
	}
	return &syscall.SysProcAttr{}
}

// give makes the identity the owner of a file.
func (i identity) give(name string) error {
	if !i.drop {
		return nil
	}
	return os.Chown(name, i.uid, i.gid)
}

// identityFor chooses the identity. The owner of an existing cluster is kept. Else root drops to the user postgres or nobody if that
// user can reach the binaries and the directory; if not, as below a home that is closed to others, a user namespace does it.
func identityFor(bin binaries, o *Options) (identity, error) {
	self := identity{uid: os.Geteuid(), gid: os.Getegid()}
	inside := self
	inside.namespace = true

	var choices []identity
	info, err := os.Stat(o.data())
	switch {
	case err == nil:
		owner := info.Sys().(*syscall.Stat_t)
		switch {
		case int(owner.Uid) != self.uid && self.uid == 0:
			choices = []identity{{uid: int(owner.Uid), gid: int(owner.Gid), drop: true}}
		case int(owner.Uid) != self.uid:
			return identity{}, fmt.Errorf("%s belongs to uid %d and this is uid %d: start as its owner, or choose another state directory", o.data(), owner.Uid, self.uid)
		case self.uid == 0:
			choices = []identity{inside}
		default:
			choices = ordinary(self, inside)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return identity{}, fmt.Errorf("look at cluster: %w", err)
	case self.uid != 0:
		choices = ordinary(self, inside)
	default:
		for _, name := range []string{"postgres", "nobody"} {
			if i, ok := named(name); ok {
				choices = append(choices, i)
				break
			}
		}
		choices = append(choices, inside)
	}

	var failed []error
	for _, i := range choices {
		if i.drop { // others may pass through, and see nothing
			if err := os.Chmod(o.Dir, 0o711); err != nil {
				return identity{}, fmt.Errorf("open directory for uid %d: %w", i.uid, err)
			}
		}
		cmd := exec.Command(bin.path("postgres"), "--version")
		cmd.Dir, cmd.Env, cmd.SysProcAttr = o.Dir, environment(o.Dir), i.attributes()
		err := cmd.Run()
		if err == nil {
			return i, nil
		}
		failed = append(failed, fmt.Errorf("as uid %d: %w", i.uid, err))
	}
	return identity{}, fmt.Errorf("PostgreSQL cannot run in %s: choose a state directory that every user may pass through, or start as an ordinary user (%w)",
		o.Dir, errors.Join(failed...))
}

// ordinary users run PostgreSQL as themselves; a uid without a name, as in some containers, needs the namespace.
func ordinary(self, inside identity) []identity {
	if _, err := user.LookupId(strconv.Itoa(self.uid)); err != nil {
		return []identity{inside}
	}
	return []identity{self}
}

func named(name string) (identity, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return identity{}, false
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return identity{uid: uid, gid: gid, drop: true}, err1 == nil && err2 == nil
}

// command prepares one of PostgreSQL's programs.
func command(ctx context.Context, bin binaries, i identity, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bin.path(program), args...)
	cmd.Dir = dir // the working directory of the parent may be closed to the identity
	cmd.Env = environment(dir)
	cmd.SysProcAttr = i.attributes()
	return cmd
}
