# What Perl's Email::MIME reads in each file of a folder, as JSON; see views.py for its form.
use strict;
use warnings;
use Email::Address::XS;
use Email::MIME;
use Encode qw(decode);
use JSON::PP;
use MIME::Base64 qw(encode_base64);

my %letters;
for my $path (glob "$ARGV[0]/*.eml") {
    my ($name) = $path =~ m{([^/]+)\.eml$};
    open my $file, '<:raw', $path or die $!;
    my $content = do { local $/; <$file> };
    $letters{$name} = eval { letter($content) } || { error => "$@" };
}
print JSON::PP->new->ascii->canonical->encode(\%letters);

sub letter {
    my $mail = Email::MIME->new(shift);
    my (%headers, %mailboxes);
    $headers{$_} = [$mail->header_str($_)] for qw(subject date message-id);
    for my $name (qw(from to reply-to)) {
        my @found = map { Email::Address::XS->parse($_) } $mail->header_raw($name);
        $mailboxes{$name} = [map { [decode('MIME-Header', $_->phrase // ''), $_->address // $_->original] } @found];
    }
    return { headers => \%headers, mailboxes => \%mailboxes, parts => [parts($mail)] };
}

sub parts {
    my $mail = shift;
    return map { parts($_) } $mail->subparts if $mail->subparts;
    my ($kind) = ($mail->content_type // 'text/plain') =~ m{^\s*([^\s;]+)};
    my ($disposition) = ($mail->header('Content-Disposition') // '') =~ m{^\s*([^\s;]*)};
    return {
        kind => lc $kind,
        filename => $mail->filename // '',
        disposition => lc($disposition // ''),
        content => encode_base64($mail->body, ''),
        text => eval { $mail->body_str } // "(unknown charset)",
    };
}
