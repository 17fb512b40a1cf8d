package ocitest

import (
	"fmt"
	"net/http"
	"strings"
)

// token is the only one the registry hands out.
const token = "ocitest-token"

// authorized checks the bearer token, or hands one out at /token. It answers
// the request itself if it returns false.
func (r *Registry) authorized(w http.ResponseWriter, req *http.Request) bool {
	if req.URL.Path == "/token" {
		user, password, ok := req.BasicAuth()
		if !ok || user != r.auth.User || password != r.auth.Password {
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}`, http.StatusUnauthorized)
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"token":%q}`, token)
		return false
	}
	if strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ") == token {
		return true
	}
	r.mu.Lock()
	realm := r.realm
	r.mu.Unlock()
	if realm == "" {
		realm = "https://" + req.Host + "/token"
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="ocitest"`, realm))
	http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"token wanted"}]}`, http.StatusUnauthorized)
	return false
}
