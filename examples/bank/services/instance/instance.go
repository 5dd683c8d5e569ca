// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package instance tells a service who it is: what Fairway gave it at the
// start (environment variables) and what may change while it runs (seat and
// revision, which are labels set live on the pod).
package instance

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/examples/bank/services/build"
)

// LabelsFile is where the pod's labels are mounted from the downward API, one
// key="value" per line.
const LabelsFile = "/etc/fairway/instance/labels"

// Card is what an instance says of itself.
type Card struct {
	Seat        string `json:"seat"`
	Application string `json:"application"`
	Component   string `json:"component"`
	Revision    string `json:"revision"`
	Version     string `json:"version"`
	DCN         string `json:"dcn"`
	DataCenter  string `json:"dataCenter"`
	Cluster     string `json:"cluster"`
	Zone        string `json:"zone"`
	IP          string `json:"ip"`
}

// Instance reads the card of this process. It is safe for concurrent use.
type Instance struct {
	fixed Card
	path  string

	mu       sync.Mutex
	read     time.Time // modification time of the file that was read
	size     int64
	seat     string
	revision string
}

// FromEnvironment makes the Instance of this process; component is used where
// the environment names none. FAIRWAY_INSTANCE_LABELS moves the labels file.
func FromEnvironment(component string) *Instance {
	path := os.Getenv("FAIRWAY_INSTANCE_LABELS")
	if path == "" {
		path = LabelsFile
	}
	if named := os.Getenv("FAIRWAY_COMPONENT"); named != "" {
		component = named
	}
	return New(path, Card{
		Application: os.Getenv("FAIRWAY_APPLICATION"),
		Component:   component,
		Version:     build.Version,
		DCN:         os.Getenv("FAIRWAY_DCN"),
		DataCenter:  os.Getenv("FAIRWAY_DATA_CENTER"),
		Cluster:     os.Getenv("FAIRWAY_CLUSTER"),
		Zone:        os.Getenv("FAIRWAY_ZONE"),
		IP:          os.Getenv("POD_IP"),
	})
}

// New makes an Instance with a given card, reading seat and revision from path.
func New(path string, fixed Card) *Instance {
	return &Instance{fixed: fixed, path: path}
}

// Card is who this instance is now. Seat and revision are empty as long as
// nobody has labelled the pod.
func (i *Instance) Card() Card {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refresh()
	card := i.fixed
	card.Seat, card.Revision = i.seat, i.revision
	return card
}

func (i *Instance) refresh() {
	info, err := os.Stat(i.path)
	if err != nil {
		i.read, i.size, i.seat, i.revision = time.Time{}, 0, "", ""
		return
	}
	if info.ModTime().Equal(i.read) && info.Size() == i.size {
		return
	}
	content, err := os.ReadFile(i.path)
	if err != nil {
		slog.Warn("could not read the labels of this instance", "path", i.path, "error", err)
		return
	}
	i.read, i.size = info.ModTime(), info.Size()
	i.seat, i.revision = "", ""
	for line := range strings.Lines(string(content)) {
		key, quoted, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found {
			continue
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			continue
		}
		switch key {
		case "app.fairway.cloud/seat":
			i.seat = value
		case "app.fairway.cloud/revision":
			i.revision = value
		}
	}
}
