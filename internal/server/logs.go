// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// recheck is how often a long answer looks whether the person still may.
const recheck = 2 * time.Second

// mostTail is the most lines that are shown at first.
const mostTail = 100000

var logsDoc = []httpapi.Parameter{
	{Name: "follow", Text: "true: go on as the instance writes. Default: false.", Schema: map[string]any{"type": "boolean"}},
	{Name: "previous", Text: "true: the log of the container that ended before this one. Default: false.", Schema: map[string]any{"type": "boolean"}},
	{Name: "tail", Text: "Begin this many lines before the end. Default: 1000.", Schema: map[string]any{"type": "integer", "minimum": 0, "maximum": mostTail}},
	{Name: "since", Text: "Only what was written in this time, such as 10m."},
	{Name: "timestamps", Text: "true: the time before each line. Default: false.", Schema: map[string]any{"type": "boolean"}},
}

func logOptions(values url.Values) (*corev1.PodLogOptions, error) {
	options := &corev1.PodLogOptions{TailLines: ptr.To(int64(1000)), LimitBytes: ptr.To(int64(256 << 20))}
	for name, into := range map[string]*bool{"follow": &options.Follow, "previous": &options.Previous, "timestamps": &options.Timestamps} {
		switch values.Get(name) {
		case "", "false":
		case "true":
			*into = true
		default:
			return nil, badQuery(name, "true or false")
		}
	}
	if options.Follow {
		options.LimitBytes = nil
	}
	if v := values.Get("tail"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 || n > mostTail {
			return nil, badQuery("tail", "a number from 0 to %d", mostTail)
		}
		options.TailLines = &n
	}
	if v := values.Get("since"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return nil, badQuery("since", "a time span such as 90s, 10m or 2h")
		}
		options.SinceSeconds = ptr.To(int64((d + time.Second - 1) / time.Second))
	}
	return options, nil
}

// logs streams from the member. It ends when the client goes, the instance ends,
// or the person may no longer read.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r, "follow", "previous", "tail", "since", "timestamps"); err != nil {
		return err
	}
	options, err := logOptions(r.URL.Query())
	if err != nil {
		return err
	}
	found, err := s.sitting(r, "get", "log")
	if err != nil {
		return err
	}
	member, err := s.members.Get(found.Cluster)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeNotConnected, "could not read the log of %q: cluster %q is not connected", found.Seat, found.Cluster).Because(err)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	namespace := found.PodNamespace
	pod := &corev1.Pod{}
	getCtx, done := context.WithTimeout(ctx, memberTimeout)
	defer done()
	if err := member.Client().Get(getCtx, client.ObjectKey{Namespace: namespace, Name: found.Pod}, pod); err != nil {
		return memberProblem(found.Seat, found.Cluster, err)
	}
	if string(pod.UID) != found.UID {
		return httpapi.NewProblem(httpapi.CodeConflict, "could not read the log of %q: the pod has just been replaced", found.Seat).WithNext("Ask again in a moment.")
	}
	if pod.Spec.NodeName == "" {
		return notStarted(found.Seat)
	}
	options.Container = pod.Spec.Containers[0].Name
	stream, err := openLog(ctx, member.Config(), namespace, found.Pod, options)
	if err != nil {
		return memberProblem(found.Seat, found.Cluster, err)
	}
	defer stream.Close() //nolint:errcheck // only read
	go s.endWhenRevoked(ctx, cancel, r, instanceQuestion("get", namespaceOf(r), "log"))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	flush(w)
	copyLive(w, stream)
	return nil
}

func namespaceOf(r *http.Request) string { return r.PathValue("namespace") }

func openLog(ctx context.Context, config *rest.Config, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	config = rest.CopyConfig(config)
	config.Timeout = 0
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return set.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
}

func notStarted(seat string) *httpapi.Problem {
	return httpapi.NewProblem(httpapi.CodeConflict, "could not read the log of %q: its container has not started, or has no previous one", seat).
		WithNext("See why with: fairway describe instance %s.", seat)
}

func memberProblem(seat, cluster string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return httpapi.NewProblem(httpapi.CodeConflict, "could not read the log of %q: the pod has just been replaced", seat).WithNext("Ask again in a moment.").Because(err)
	case apierrors.IsBadRequest(err):
		return notStarted(seat).Because(err)
	case errors.Is(err, context.Canceled):
		return httpapi.NewProblem(httpapi.CodeTimeout, "the client went away").Because(err)
	}
	return httpapi.NewProblem(httpapi.CodeNotConnected, "could not read the log of %q: cluster %q does not answer", seat, cluster).Because(err)
}

// endWhenRevoked ends a long answer when the credential or the right is gone.
func (s *Server) endWhenRevoked(ctx context.Context, cancel context.CancelCauseFunc, r *http.Request, q Question) {
	ticker := time.NewTicker(recheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.stillMay(ctx, r, q); err != nil {
			cancel(err)
			return
		}
	}
}

var errRevoked = errors.New("the right to read on was taken away")

func (s *Server) stillMay(ctx context.Context, r *http.Request, q Question) error {
	if err := httpapi.StillValid(r.Context()); err != nil {
		return err
	}
	allowed, err := s.authority.May(ctx, who(r), q)
	if err != nil {
		return err
	}
	if !allowed {
		return errRevoked
	}
	return nil
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// copyLive copies and flushes what comes, piece by piece.
func copyLive(w http.ResponseWriter, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(30 * time.Second))
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			flush(w)
		}
		if err != nil {
			return
		}
	}
}
