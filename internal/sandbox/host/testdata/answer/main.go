// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command answer is the pod of the tests: it says who it is, fetches what it
// is asked to, and appends to a file.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	name, _ := os.Hostname()
	if len(os.Args) > 1 { // a command run inside
		fmt.Println(name, os.Args[1])
		return
	}
	fmt.Println("started", name)
	dialer := net.Dialer{Timeout: time.Second}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	http.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		response, err := client.Get(r.URL.Query().Get("url"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		w.WriteHeader(response.StatusCode)
		io.Copy(w, response.Body)
	})
	http.HandleFunc("/append", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.OpenFile("/data/log", os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o666)
		if err == nil {
			defer f.Close()
			fmt.Fprintln(f, name)
			f.Seek(0, 0)
			_, err = io.Copy(w, f)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go http.ListenAndServe(":8080", nil)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}
