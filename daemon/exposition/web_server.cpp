// SPDX-License-Identifier: Apache-2.0
#include "exposition/web_server.h"

#include <civetweb.h>
#include <strings.h>

#include <array>
#include <system_error>

#include "exposition/listen_address.h"
#include "exposition/negotiate.h"
#include "kernel/privileges.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMaxListeners = 16;
constexpr const char* kTlsHint =
    " (TLS needs the library lib/plimsoll/libssl.so, which is installed with the program)";
/// The request of a client with TLS comes after the handshake's turns on the network.
constexpr std::chrono::milliseconds kHandshakePatience{250};
constexpr int kAcceptingThread = 0;  ///< civetweb's number for it
constexpr std::chrono::seconds kThreadPatience{5};

/// All headers of that name as one list, as far as negotiation will read it.
std::string joined_header(const mg_request_info& info, const char* name) {
    std::string value;
    for (int i = 0; i < info.num_headers && value.size() < kMaxNegotiated; ++i) {
        if (strcasecmp(info.http_headers[i].name, name) == 0) {
            value += value.empty() ? "" : ",";
            value += std::string_view(info.http_headers[i].value).substr(0, kMaxNegotiated);
        }
    }
    return value;
}

void send(mg_connection* connection, const Response& response, bool with_body) {
    const std::string head = render_head(response);
    const std::string_view body = with_body ? response.body() : std::string_view{};
    if (mg_write(connection, head.data(), head.size()) > 0 && !body.empty()) {
        mg_write(connection, body.data(), body.size());  // a client that is gone is no error of ours
    }
}

ConnectionLimits limits_for(ConnectionLimits limits, const WebPolicy& policy) {
    if (policy.tls) {
        limits.request_patience = std::max(limits.request_patience, kHandshakePatience);
    }
    return limits;
}

/// civetweb's spelling; it has no name for "every IPv4 address" but the lack of one.
std::string civetweb_spec(const ListenAddress& address, bool tls) {
    return (address.host.empty() ? std::to_string(address.port) : to_string(address)) + (tls ? "s" : "");
}

Result<std::string> civetweb_ports(const std::vector<std::string>& listen, bool tls) {
    std::vector<ListenAddress> addresses;
    std::string specs;
    for (const std::string& text : listen) {
        auto address = parse_listen_address(text);
        if (!address) {
            return std::unexpected(address.error());
        }
        if (address->v6 && mg_check_feature(MG_FEATURES_IPV6) == 0) {
            return fail("listen " + text +
                        ": the civetweb library here is built without IPv6, use an IPv4 address");
        }
        specs += (specs.empty() ? "" : ",") + civetweb_spec(*address, tls);
        addresses.push_back(std::move(*address));
    }
    if (addresses.empty() || addresses.size() > kMaxListeners) {
        return fail("listen: expected 1 to " + std::to_string(kMaxListeners) + " addresses");
    }
    if (auto free = probe_listen_addresses(addresses); !free) {
        return std::unexpected(free.error());
    }
    return specs;
}

}  // namespace

/// civetweb calls these from its workers. No exception may leave them.
struct WebServer::Callbacks {
    static WebServer& server(const mg_connection* connection) {
        return *static_cast<WebServer*>(mg_get_user_data(mg_get_context(connection)));
    }

    /// What strangers talk to may do no more than they.
    static void* on_thread(const mg_context* context, int kind) noexcept {
        give_up_privileges();
        auto& server = *static_cast<WebServer*>(mg_get_user_data(context));
        if (kind == kAcceptingThread) {
            server.accepts_ = true;
        }
        server.started_.release();
        return nullptr;
    }

    static int on_connection(const mg_connection* connection, void**) noexcept { return arrived(connection); }

    static int arrived(const mg_connection* connection) noexcept {
        try {
            server(connection).guard_.arrived(connection);
            return 0;
        } catch (...) {  // no memory to look after it; civetweb's own limits are left
            return 0;
        }
    }

    /// With TLS civetweb tells of a connection only after the handshake, which can take as long as the client
    /// likes.
    static void on_handshake(const SSL* tls, int where, int) noexcept {
        if ((where & SSL_CB_HANDSHAKE_START) != 0) {
            arrived(static_cast<const mg_connection*>(SSL_get_app_data(tls)));
        }
    }

    static int on_request(mg_connection* connection) noexcept {
        try {
            return server(connection).handle(connection);
        } catch (...) {  // no memory for the few bytes of a head: say nothing, hang up
            return 500;
        }
    }

    /// For what civetweb refuses by itself: no HTTP, header too large, unknown transfer encoding.
    static int on_error(mg_connection* connection, int status, const char*) noexcept {
        try {
            send(
                connection,
                short_answer(status, "not a request for this server\n", server(connection).policy()->headers),
                true);
            return 0;
        } catch (...) {  // as above
            return 0;
        }
    }

    static void on_close(const mg_connection* connection) noexcept {
        if (mg_get_user_connection_data(connection) == &kSpokePlainHttp) {
            answer_plainly(connection);
        }
        server(connection).guard_.leaving(connection);
    }

    /// The handshake is over for good by now, and what is written goes to the socket as it is.
    static void answer_plainly(const mg_connection* connection) noexcept {
        try {
            send(const_cast<mg_connection*>(connection),
                 short_answer(400, "this server speaks HTTPS only: https://\n"), true);
        } catch (...) {  // as above
            return;
        }
    }

    /// Nothing that civetweb logs matters here, and clients could fill the disk with it. But it is the only
    /// place where it says why a handshake failed.
    static int on_log(const mg_connection* connection, const char* message) noexcept {
        if (connection != nullptr && std::string_view(message).find(kHttpRequest) != std::string_view::npos) {
            mg_set_user_connection_data(connection, const_cast<char*>(&kSpokePlainHttp));
        }
        return 1;
    }

    /// How OpenSSL calls the error SSL_R_HTTP_REQUEST.
    static constexpr std::string_view kHttpRequest = ":http request";
    static constexpr char kSpokePlainHttp = 0;  ///< its address marks a connection

    /// Asked at the start, and at the end whether the context is its own to free.
    static int on_tls(void** context, void* user_data) noexcept {
        *context = static_cast<WebServer*>(user_data)->front_->context();
        return 1;
    }

    static mg_callbacks table() {
        mg_callbacks callbacks{};
        callbacks.init_thread = on_thread;
        callbacks.init_connection = on_connection;
        callbacks.begin_request = on_request;
        callbacks.http_error = on_error;
        callbacks.connection_close = on_close;
        callbacks.log_message = on_log;
        callbacks.external_ssl_ctx = on_tls;
        return callbacks;
    }
};

Result<std::unique_ptr<WebServer>> WebServer::start(const std::vector<std::string>& listen,
                                                    ScrapeSource& source, const Options& options,
                                                    PolicyPtr policy) {
    try {
        std::unique_ptr<WebServer> server(new WebServer(source, options, std::move(policy)));
        if (auto listening = server->listen(listen, options); !listening) {
            return std::unexpected(listening.error());
        }
        return server;
    } catch (const std::system_error& error) {
        return fail(std::string("web server: ") + error.what());
    }
}

WebServer::WebServer(ScrapeSource& source, const Options& options, PolicyPtr policy)
    : source_(source),
      answers_(source, options.scrape_deadline),
      policy_(std::move(policy)),
      guard_(limits_for(options.limits, *policy_)) {
    mg_init_library(MG_FEATURES_DEFAULT);
}

WebServer::~WebServer() {
    if (context_ != nullptr) {
        stopping_ = true;
        source_.cancel();
        guard_.close_all();  // also wakes civetweb's accepting thread, which otherwise looks up every 2 s
        mg_stop(context_);
    }
    mg_exit_library();
}

Result<void> WebServer::listen(const std::vector<std::string>& addresses, const Options& options) {
    if (policy_->tls) {
        auto front = TlsFront::create([this] { return policy()->tls; }, Callbacks::on_handshake);
        if (!front) {
            return std::unexpected(front.error());
        }
        front_ = std::move(*front);
    }
    const auto specs = civetweb_ports(addresses, front_ != nullptr);
    if (!specs) {
        return std::unexpected(specs.error());
    }
    const std::string workers = std::to_string(options.limits.workers);
    const std::string timeout = std::to_string(options.limits.request.count());
    std::array<const char*, 13> settings{"listening_ports",
                                         specs->c_str(),
                                         "num_threads",
                                         workers.c_str(),
                                         "request_timeout_ms",
                                         timeout.c_str(),
                                         "enable_keep_alive",
                                         "no",
                                         "enable_auth_domain_check",
                                         "no",
                                         "tcp_nodelay",
                                         "1",
                                         nullptr};
    const mg_callbacks callbacks = Callbacks::table();
    mg_init_data init{.callbacks = &callbacks, .user_data = this, .configuration_options = settings.data()};
    std::array<char, 256> text{};
    mg_error_data error{.code = nullptr, .text = text.data(), .text_buffer_size = text.size()};
    context_ = mg_start2(&init, &error);
    if (context_ == nullptr) {
        return fail("listen " + *specs + ": " + text.data() + (front_ ? kTlsHint : ""));
    }
    // civetweb does not say which of its threads it could not start: one for each worker, and one that
    // accepts.
    for (std::size_t thread = 0; thread <= options.limits.workers; ++thread) {
        if (!started_.try_acquire_for(kThreadPatience)) {
            if (!accepts_) {
                context_ = nullptr;  // mg_stop() would wait for that one for ever
            }
            return fail("web server: " + std::to_string(thread) + " threads of " +
                        std::to_string(options.limits.workers + 1) +
                        " could be started (is there a limit of processes or of memory?)");
        }
    }
    guard_.watch(ports());
    return {};
}

std::vector<std::uint16_t> WebServer::ports() const {
    std::array<mg_server_port, kMaxListeners> found{};
    const int count = mg_get_server_ports(context_, static_cast<int>(found.size()), found.data());
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < count; ++i) {
        ports.push_back(static_cast<std::uint16_t>(found[static_cast<std::size_t>(i)].port));
    }
    return ports;
}

void WebServer::adopt(PolicyPtr policy) {
    const std::lock_guard lock(policy_mutex_);
    policy_.swap(policy);
}

PolicyPtr WebServer::policy() const {
    const std::lock_guard lock(policy_mutex_);
    return policy_;
}

int WebServer::handle(mg_connection* connection) {
    const mg_request_info& info = *mg_get_request_info(connection);
    guard_.responding(connection, {info.remote_addr, info.remote_port, info.server_port});
    const PolicyPtr policy = this->policy();
    Response response = respond(connection, *policy);
    response.more_headers += policy->headers;
    if (response.page) {
        guard_.holds(connection, response.page.get(), response.page->memory());
    } else {
        guard_.holds(connection, response.text.data(), response.text.capacity());
    }
    mg_disable_connection_keep_alive(connection);
    send(connection, response, std::string_view(info.request_method) != "HEAD");
    return response.status;
}

Response WebServer::respond(mg_connection* connection, const WebPolicy& policy) {
    const mg_request_info& info = *mg_get_request_info(connection);
    if (policy.auth) {
        const char* authorization = mg_get_header(connection, "Authorization");
        const auto verdict =
            policy.auth->check(authorization != nullptr ? authorization : "", info.remote_addr, stopping_);
        if (verdict == BasicAuth::Verdict::busy) {
            return short_answer(503, "too many passwords are being checked, try again\n",
                                "Retry-After: 1\r\n");
        }
        if (verdict == BasicAuth::Verdict::denied) {
            return short_answer(401, "a name and its password, please\n",
                                "WWW-Authenticate: Basic realm=\"plimsoll\", charset=\"UTF-8\"\r\n");
        }
    }
    const std::string accept = joined_header(info, "Accept");
    const std::string accept_encoding = joined_header(info, "Accept-Encoding");
    return answers_.answer(
        {.method = info.request_method,
         .path = info.local_uri != nullptr ? info.local_uri : "",
         .query = info.query_string != nullptr ? info.query_string : "",
         .accept = accept,
         .accept_encoding = accept_encoding,
         .has_body = info.content_length > 0 || mg_get_header(connection, "Transfer-Encoding") != nullptr});
}

}  // namespace plimsoll
