// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package serving

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func get(t *testing.T, client *http.Client, url string) (int, *http.Response) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response
}

// TestGracefulEnd: after SIGTERM (here: the end of ctx) the probe fails, new
// requests are still answered, a slow one in flight is finished.
func TestGracefulEnd(t *testing.T) {
	ctx, terminate := context.WithCancel(t.Context())
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		JSON(w, http.StatusOK, "late")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { JSON(w, http.StatusOK, "here") })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	drainAsked := make(chan struct{})
	drain := 500 * time.Millisecond
	ended := make(chan error, 1)
	go func() {
		ended <- Service{Handler: mux, Drain: func() time.Duration { close(drainAsked); return drain }}.serve(ctx, listener)
	}()
	url := "http://" + listener.Addr().String()
	client := &http.Client{Timeout: 10 * time.Second}

	if code, _ := get(t, client, url+"/readyz"); code != 200 {
		t.Fatalf("ready: %d", code)
	}
	slow := make(chan int, 1)
	go func() {
		response, err := client.Get(url + "/slow")
		if err != nil {
			slow <- 0
			return
		}
		response.Body.Close()
		slow <- response.StatusCode
	}()
	<-entered
	terminate()
	<-drainAsked
	for code := 0; code != 503; { // the flag is set right after the question
		code, _ = get(t, client, url+"/readyz")
	}
	code, response := get(t, client, url+"/")
	if code != 200 || !response.Close {
		t.Errorf("while draining: status %d, connection closed %v; want 200, true", code, response.Close)
	}
	if code, _ := get(t, client, url+"/healthz"); code != 200 {
		t.Errorf("a draining process is still alive, the probe says %d", code)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended while a request was in flight: %v", err)
	case <-time.After(2 * drain):
	}
	close(release)
	if code := <-slow; code != 200 {
		t.Errorf("the request in flight got %d", code)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestProbesTellWhy(t *testing.T) {
	s := Service{
		Handler: http.NotFoundHandler(),
		Ready:   func() error { return errors.New("waits for the lock") },
		Alive:   func() error { return errors.New("disk failed") },
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.Drain = func() time.Duration { return 0 }
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listener) }()
	for path, want := range map[string]string{"/readyz": "waits for the lock\n", "/healthz": "disk failed\n"} {
		response, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 503 || string(body) != want {
			t.Errorf("%s: %d %q %v", path, response.StatusCode, body, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
