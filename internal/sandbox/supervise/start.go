// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLog is the size from which a log file is put aside before a start.
const maxLog = 64 << 20

// joinScript moves the shell into control groups and becomes the command, so
// that not even the command's first fork happens outside of them.
const joinScript = `while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"`

// command builds the command line with the ways into namespace and groups.
func (p Process) command() ([]string, error) {
	argv := p.Argv
	if p.NetNS != "" {
		argv = append([]string{"nsenter", "--net=" + p.NetNS, "--"}, argv...)
	}
	if p.Cgroup == "" {
		return argv, nil
	}
	groups, err := groupFolders(p.Cgroup)
	if err != nil {
		return nil, err
	}
	line := append([]string{"sh", "-c", joinScript, "sh"}, groups...)
	return append(append(line, "--"), argv...), nil
}

// groupFolders are the folders of a control group in all hierarchies that have it.
func groupFolders(group string) ([]string, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("could not find control groups: %w", err)
	}
	defer func() { _ = mounts.Close() }()
	var folders []string
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || (fields[2] != "cgroup" && fields[2] != "cgroup2") {
			continue
		}
		folder := filepath.Join(fields[1], group)
		if _, err := os.Stat(folder); err == nil {
			folders = append(folders, folder)
		}
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("could not find control group %q in any hierarchy", group)
	}
	return folders, nil
}

// start runs the process in a session of its own, so that neither the
// supervisor's end nor a terminal's signals reach it.
func (p Process) start(mark string) (*exec.Cmd, error) {
	argv, err := p.command()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = append(append(os.Environ(), p.Env...), MarkVariable+"="+mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p.LogFile != "" {
		log, err := openLog(p.LogFile)
		if err != nil {
			return nil, err
		}
		defer func() { _ = log.Close() }()
		cmd.Stdout, cmd.Stderr = log, log
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("could not start %q: %w", p.Name, err)
	}
	return cmd, nil
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("could not make the log folder: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, fmt.Errorf("could not put a full log aside: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("could not open a log: %w", err)
	}
	return log, nil
}

// lastLine is the last line of a log, as far as it is short.
func lastLine(path string) string {
	const enough = 2048
	file, err := os.Open(path)
	if err != nil {
		return "(no log)"
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > enough {
		_, _ = file.Seek(-enough, io.SeekEnd)
	}
	content, _ := io.ReadAll(file)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}
