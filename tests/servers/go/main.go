// An MCP server that takes the access tokens of Gatelodge.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const wellKnown = "/.well-known/oauth-protected-resource"

type claims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Email    string `json:"email"`
}

// discover finds the issuer's keys. RFC 8414: the well-known path goes between host and path of the issuer.
func discover(issuer string) (keyfunc.Keyfunc, error) {
	at, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	at.Path = "/.well-known/oauth-authorization-server" + at.Path
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(at.String())
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&metadata); err != nil {
		return nil, err
	}
	if metadata.Issuer != issuer {
		return nil, fmt.Errorf("the metadata is of %q", metadata.Issuer)
	}
	startWithoutKeys := false
	return keyfunc.NewDefaultOverrideCtx(context.Background(), []string{metadata.JWKSURI}, keyfunc.Override{
		HTTPTimeout:               10 * time.Second,
		RateLimitWaitMax:          time.Second,
		RefreshInterval:           5 * time.Minute,
		NoErrorReturnFirstHTTPReq: &startWithoutKeys,
	})
}

// verifier checks our access tokens for this resource (RFC 9068).
func verifier(issuer, resource string, keys keyfunc.Keyfunc) auth.TokenVerifier {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256", "RS256", "EdDSA"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(resource),
		jwt.WithExpirationRequired(),
	)
	return func(ctx context.Context, text string, _ *http.Request) (*auth.TokenInfo, error) {
		var said claims
		token, err := parser.ParseWithClaims(text, &said, keys.KeyfuncCtx(ctx))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
		}
		if token.Header["typ"] != "at+jwt" || said.Subject == "" || said.ClientID == "" {
			return nil, errors.Join(auth.ErrInvalidToken, errors.New("no access token"))
		}
		return &auth.TokenInfo{
			Scopes:     strings.Fields(said.Scope),
			Expiration: said.ExpiresAt.Time,
			UserID:     said.Subject,
			Extra:      map[string]any{"email": said.Email},
		}, nil
	}
}

func whoami(_ context.Context, request *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	caller := request.Extra.TokenInfo
	text := fmt.Sprintf("%s (%s)", caller.UserID, caller.Extra["email"])
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func main() {
	issuer := setting("ISSUER", "https://auth.example.com")
	resource := setting("RESOURCE", "https://mcp.example.com/mcp")
	keys, err := discover(issuer)
	if err != nil {
		log.Fatal(err)
	}
	at, err := url.Parse(resource)
	if err != nil {
		log.Fatal(err)
	}

	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Tell who is calling"}, whoami)
	handler := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true},
	)
	guard := auth.RequireBearerToken(verifier(issuer, resource, keys), &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: at.Scheme + "://" + at.Host + wellKnown + at.Path,
		Scopes:              []string{"mcp:read"},
	})
	metadata := auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource:               resource,
		AuthorizationServers:   []string{issuer},
		ScopesSupported:        []string{"mcp:read", "mcp:write"},
		BearerMethodsSupported: []string{"header"},
	})
	http.Handle(at.Path, guard(handler))
	http.Handle(wellKnown+at.Path, metadata)

	listener, err := net.Listen("tcp", "127.0.0.1:"+setting("PORT", "8000"))
	if err != nil {
		log.Fatal(err)
	}
	log.Print("listening on http://", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
