// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func pemOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// endless gives bytes without end and without taking time.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }

type answers struct{}

func (answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: endless{}}, nil
}

func TestBoundedAnswers(t *testing.T) {
	for name, url := range map[string]string{"list": "https://m/api/v1/pods", "watch": "https://m/api/v1/pods?watch=true"} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, url, nil)
			response, err := (&bounded{next: answers{}}).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			began := time.Now()
			read, err := io.CopyBuffer(io.Discard, response.Body, make([]byte, 16<<20))
			if !errors.Is(err, errTooLarge) {
				t.Errorf("an endless answer must be cut off, got %d bytes and %v", read, err)
			}
			if most := int64(streamBurst) + int64(time.Since(began).Seconds()+1)*streamRate; read > most {
				t.Errorf("%d bytes were read, more than %d", read, most)
			}
		})
	}
}
