package ocitest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// Fault is one way to misbehave. All that are set apply, in the order of the
// fields.
type Fault struct {
	// Method is that of the requests it is for; "" means any.
	Method string
	// Path is a part of the path of the requests it is for; "" means any.
	Path string
	// Times is how often; 0 means always.
	Times int

	// Status answers with this code instead, and Header with these headers.
	Status int
	Header map[string]string
	// Redirect sends the client to this URL.
	Redirect string
	// Body, if set, is the answer to a GET, with status 200 or Status.
	Body []byte
	// ContentType replaces that of the answer.
	ContentType string
	// Corrupt flips the lowest bit of the byte in the middle.
	Corrupt bool
	// Grow appends so many bytes.
	Grow int
	// Chunked leaves the length out, so that the client must count.
	Chunked bool
	// NoRange ignores the client's range.
	NoRange bool
	// Truncate cuts the connection after so many bytes of the body.
	Truncate int
	// Stall says nothing more after half of the body, until the client goes.
	Stall bool
}

// Fault adds a fault. The first that fits a request applies.
func (r *Registry) Fault(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, &f)
}

// Heal removes all faults.
func (r *Registry) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = nil
}

// pick takes the fault for req, if any, and writes the request down.
func (r *Registry) pick(req *http.Request) *Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, Request{req.Method, req.URL.Path, req.Header.Get("Range"), req.Header.Get("Authorization")})
	for i, f := range r.faults {
		if (f.Method == "" || f.Method == req.Method) && strings.Contains(req.URL.Path, f.Path) {
			if f.Times == 1 {
				r.faults = append(r.faults[:i:i], r.faults[i+1:]...)
			}
			taken := *f
			f.Times--
			return &taken
		}
	}
	return nil
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	fault := r.pick(req)
	if r.auth.User != "" && !r.authorized(w, req) {
		return
	}
	if fault == nil {
		r.inner.ServeHTTP(w, req)
		return
	}
	if fault.Redirect != "" {
		http.Redirect(w, req, fault.Redirect, http.StatusTemporaryRedirect)
		return
	}
	if fault.NoRange {
		req.Header.Del("Range")
	}
	rec := httptest.NewRecorder()
	if fault.Status != 0 {
		rec.WriteHeader(fault.Status)
		fmt.Fprint(rec, `{"errors":[{"code":"UNKNOWN","message":"ocitest fault"}]}`)
	} else if fault.Body == nil {
		r.inner.ServeHTTP(rec, req)
	}
	fault.answer(w, req, rec)
}

// answer sends what was recorded, spoiled.
func (f *Fault) answer(w http.ResponseWriter, req *http.Request, rec *httptest.ResponseRecorder) {
	body := rec.Body.Bytes()
	if f.Body != nil {
		body = f.Body
	}
	if f.Corrupt && len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	body = append(body, make([]byte, f.Grow)...)
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	if f.ContentType != "" {
		w.Header().Set("Content-Type", f.ContentType)
	}
	w.Header().Del("Content-Length")
	if !f.Chunked && req.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(rec.Code)
	if f.Chunked {
		http.NewResponseController(w).Flush()
	}
	switch {
	case f.Truncate > 0 && f.Truncate < len(body):
		w.Write(body[:f.Truncate])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.Stall:
		w.Write(body[:len(body)/2])
		http.NewResponseController(w).Flush()
		<-req.Context().Done()
	default:
		w.Write(body)
	}
}
